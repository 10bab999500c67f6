"""The doctor: looks at everything that the bot needs, and says what to do about what is not well.

One file a thing that is looked at; what a look finds are `Finding`s. It changes nothing, in no system: no migration, no
folder, no message, no incident. It never shows a secret, and it never ends in a traceback.
"""
