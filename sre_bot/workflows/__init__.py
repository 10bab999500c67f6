"""What happens, in order, and is not lost on the way. It speaks to people through Protocols that app.py binds."""
