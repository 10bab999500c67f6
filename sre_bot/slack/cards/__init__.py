"""One file is one thing on screen: its blocks, its action ids and its handlers."""
