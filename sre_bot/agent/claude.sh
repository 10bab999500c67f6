#!/bin/sh
# Starts the Claude Code CLI so that it dies with the bot, also on kill -9: an orphan would answer a waiting approval
# by itself and go on spending. Without setpriv (util-linux) it is started plainly; it then ends when its input closes.
if command -v setpriv >/dev/null 2>&1; then
    exec setpriv --pdeathsig KILL -- "$SRE_CLAUDE_CLI" "$@"
fi
exec "$SRE_CLAUDE_CLI" "$@"
