"""What people see: events in, messages and cards out. Decides how things are said, never what is done."""
