"""assistant.threads.*: the status line below a thread, and prompts that a person can pick."""

from __future__ import annotations

from sandbox.slack.limits import SPECIAL, TIERS
from sandbox.slack.web_api.call import Call, Json, Refused, method
from sandbox.slack.web_api.chat import thread_of, writable

MOST_LOADING_MESSAGES = 10  # Slack: assistant.threads.setStatus
MOST_PROMPTS = 4  # Slack: assistant.threads.setSuggestedPrompts


@method(
    "assistant.threads.setStatus",
    per_minute=SPECIAL,
    required=("channel_id", "thread_ts"),
    optional=("status", "loading_messages", "icon_emoji", "icon_url", "username"),
)
async def set_status(call: Call) -> Json:
    """Show what the app is doing; an empty status clears it, as does the app's next message."""
    channel = writable(call, "channel_id")
    thread_ts = str(thread_of(call, channel))
    loading = call.structure("loading_messages", "invalid_arguments")
    if loading is not None and (not isinstance(loading, list) or len(loading) > MOST_LOADING_MESSAGES):
        raise Refused("invalid_arguments", f"at most {MOST_LOADING_MESSAGES} loading_messages")
    status = {"status": call.text("status"), "loading_messages": loading or []}
    call.workspace.set_status(channel.id, thread_ts, status if status["status"] else None)
    return {}


@method(
    "assistant.threads.setSuggestedPrompts",
    per_minute=TIERS[4],
    required=("channel_id", "prompts"),
    optional=("thread_ts", "title"),
)
async def set_suggested_prompts(call: Call) -> Json:
    """Offer prompts in the app's direct message; without thread_ts at its top level, as apps with agent_view do."""
    channel = writable(call, "channel_id")
    if channel.kind != "im":
        raise Refused("channel_not_found", "prompts are offered in a direct message with the app")
    prompts = call.structure("prompts", "invalid_arguments")
    if not isinstance(prompts, list) or not 0 < len(prompts) <= MOST_PROMPTS:
        raise Refused("invalid_arguments", f"prompts must be an array of 1 to {MOST_PROMPTS}")
    for prompt in prompts:
        if not isinstance(prompt, dict) or set(prompt) != {"title", "message"}:
            raise Refused("invalid_arguments", "a prompt has a title and a message")
        if not all(isinstance(words, str) and words.strip() for words in prompt.values()):
            raise Refused("invalid_arguments", "a prompt's title and message are texts that say something")
    call.workspace.set_prompts(channel.id, call.text("thread_ts"), {"title": call.text("title"), "prompts": prompts})
    return {}
