"""People write, click, confirm, fill in and read in a browser; the app at the other end gets what Slack sends."""

import base64
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.gallery import actions, button, mrkdwn, plain, section
from tests.browser.scene import ADA, GRACE, INCIDENTS, Scene, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

CONFIRM = {
    "title": plain("Approve #1?"),
    "text": plain("Set DB_POOL_SIZE=20 and redeploy"),
    "confirm": plain("Approve"),
    "deny": plain("Not yet"),
}
CARD = [section("*Raise the pool?*"), *actions(button("Approve", "ok", value="1", style="primary", confirm=CONFIRM))]
MODAL = {
    "type": "modal",
    "title": plain("Reject #1"),
    "submit": plain("Reject"),
    "close": plain("Not yet"),
    "notify_on_close": True,
    "blocks": [
        {
            "type": "input",
            "block_id": "why",
            "label": plain("Why?"),
            "element": {"type": "plain_text_input", "action_id": "text", "multiline": True, "max_length": 40},
        },
        {
            "type": "input",
            "block_id": "how",
            "optional": True,
            "label": plain("How bad?"),
            "element": {
                "type": "static_select",
                "action_id": "pick",
                "options": [{"text": plain("Very"), "value": "very"}, {"text": plain("Not"), "value": "not"}],
            },
        },
    ],
}
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def message(page: Page, words: str):
    return page.locator(".conversation .message", has_text=words)


def suggestions(page: Page):
    return page.locator(".completion [role=option]:visible")


async def act_as(page: Page, name: str) -> None:
    await page.get_by_label("You act as").select_option(value=name)


async def test_a_mention_is_completed_and_reaches_the_app(scene: Scene):
    page = await scene.open()
    field = page.get_by_label("Message #incidents")
    await field.press_sequentially("@sr")
    await expect(suggestions(page)).to_have_text(["SRE Bot"])
    await field.press("Enter")
    await expect(field).to_have_value("@SRE Bot ")
    await field.press_sequentially("500 errors")
    await field.press("Shift+Enter")
    await field.press_sequentially("since noon")
    await field.press("Enter")
    await expect(field).to_have_value("")
    await expect(message(page, "since noon").locator(".mention")).to_have_text("@SRE Bot")
    (event,) = await until(lambda: scene.app.events("app_mention"))
    assert event["text"] == "<@U0SREBOT01> 500 errors\nsince noon"
    assert event["user"] == ADA


async def test_the_list_of_suggestions_is_steered_by_keys(scene: Scene):
    page = await scene.open()
    field = page.get_by_label("Message #incidents")
    await field.press_sequentially("ask @g")
    await expect(suggestions(page)).to_have_count(2)
    await field.press("ArrowDown")
    chosen = page.locator(".completion [aria-selected=true]")
    await expect(chosen).to_contain_text("Guest")
    assert await field.get_attribute("aria-activedescendant") == await chosen.get_attribute("id")
    await field.press("Escape")
    await expect(page.get_by_role("listbox", name="Suggestions")).to_be_hidden()
    await expect(field).to_have_value("ask @g")


async def test_a_thread_is_opened_and_answered(scene: Scene):
    ts = await scene.say("something is wrong")
    await scene.app.post(section("I look"), thread_ts=ts)
    page = await scene.open()
    await message(page, "something is wrong").get_by_role("link", name="1 reply").click()
    thread = page.get_by_role("region", name="Thread", exact=True).first
    await expect(thread.locator(".message")).to_have_count(2)
    field = page.get_by_role("textbox", name="Reply in the thread")
    await field.press_sequentially("/st")
    await expect(suggestions(page)).to_contain_text(["stop"])
    await field.press("Enter")
    await field.press("Enter")
    await expect(thread.locator(".message")).to_have_count(3)
    await expect(message(page, "something is wrong")).to_contain_text("2 replies")
    event = await until(lambda: next((each for each in scene.app.events("message") if each["text"] == "stop"), None))
    assert event["thread_ts"] == ts
    await page.keyboard.press("Escape")
    await expect(field).to_have_count(0)


async def test_a_stream_grows_in_place(scene: Scene):
    ts = await scene.say("@SRE Bot look")
    page = await scene.open(f"#/chat/{INCIDENTS}/{ts}")
    who = {"recipient_user_id": ADA, "recipient_team_id": "T0SANDBOX1"}
    title = {"type": "plan_update", "title": "Looking into it"}
    step = {"type": "task_update", "id": "a", "title": "Reading logs", "status": "in_progress"}
    started = await scene.app.call(
        "chat.startStream", channel=INCIDENTS, thread_ts=ts, chunks=[title, step], task_display_mode="plan", **who
    )
    reply = page.locator(f'.thread .message[data-ts="{started["ts"]}"]')
    await expect(reply.locator(".task-state.in_progress")).to_be_visible()
    await reply.evaluate("element => element.dataset.kept = 'yes'")
    stream = {"channel": INCIDENTS, "ts": started["ts"]}
    for words in ("The **pool** ", "is too small."):
        await scene.app.call("chat.appendStream", **stream, chunks=[{"type": "markdown_text", "text": words}])
    await expect(reply.locator(".rich")).to_have_text("The pool is too small.")
    await expect(reply.get_by_role("button", name="Stop")).to_be_visible()
    done = [{**step, "status": "complete", "output": "3 lines"}]
    await scene.app.call("chat.stopStream", **stream, chunks=done)
    await expect(reply.locator(".task-state.complete")).to_be_visible()
    await expect(reply.get_by_role("button", name="Stop")).to_have_count(0)
    assert await reply.get_attribute("data-kept") == "yes", "the message was changed in place"


async def test_a_stream_is_stopped_with_slacks_own_button(scene: Scene):
    ts = await scene.say("@SRE Bot look")
    page = await scene.open(f"#/chat/{INCIDENTS}/{ts}")
    who = {"recipient_user_id": ADA, "recipient_team_id": "T0SANDBOX1"}
    chunks = [{"type": "markdown_text", "text": "I begin"}]
    await scene.app.call("chat.startStream", channel=INCIDENTS, thread_ts=ts, chunks=chunks, **who)
    await page.locator(".thread").get_by_role("button", name="Stop").click()
    await expect(page.locator(".thread .mark")).to_have_text("Somebody stopped this answer.")
    assert (await until(lambda: scene.app.events("agent_session_stopped")))[0]["user"] == ADA


async def test_a_button_asks_before_it_is_used(scene: Scene):
    await scene.app.post(*CARD)
    page = await scene.open()
    approve = message(page, "Raise the pool?").get_by_role("button", name="Approve")
    await approve.click()
    dialog = page.get_by_role("alertdialog", name="Approve #1?")
    await expect(dialog).to_contain_text("Set DB_POOL_SIZE=20 and redeploy")
    await dialog.get_by_role("button", name="Not yet").click()
    await expect(dialog).to_have_count(0)
    await expect(approve).to_be_focused()
    assert scene.app.payloads("block_actions") == []
    await approve.click()
    await dialog.get_by_role("button", name="Approve").click()
    (payload,) = await until(lambda: scene.app.payloads("block_actions"))
    assert payload["user"]["id"] == ADA
    assert payload["actions"][0] | {"action_ts": ""} == {
        "action_id": "ok", "block_id": payload["actions"][0]["block_id"], "type": "button", "value": "1",
        "text": plain("Approve"), "style": "primary", "action_ts": "",
    }  # fmt: skip


async def test_somebody_else_clicks(scene: Scene):
    await scene.app.post(*actions(button("Silence", "quiet")))
    page = await scene.open()
    await act_as(page, GRACE)
    await page.get_by_role("button", name="Silence").click()
    (payload,) = await until(lambda: scene.app.payloads("block_actions"))
    assert payload["user"]["id"] == GRACE


async def test_a_menu_says_what_was_chosen(scene: Scene):
    options = [{"text": plain("One"), "value": "1"}, {"text": plain("Two"), "value": "2"}]
    await scene.app.post(
        section("Choose", accessory={"type": "static_select", "action_id": "pick", "options": options})
    )
    page = await scene.open()
    await page.get_by_label("Choose").select_option("Two")
    (payload,) = await until(lambda: scene.app.payloads("block_actions"))
    assert payload["actions"][0]["selected_option"] == options[1]


async def test_a_modal_is_filled_in(scene: Scene):
    async def open_modal(payload):
        await scene.app.call("views.open", trigger_id=payload["trigger_id"], view=MODAL)

    scene.app.on_click = open_modal
    await scene.app.post(*actions(button("Reject …", "no")))
    page = await scene.open()
    await page.get_by_role("button", name="Reject …").click()
    dialog = page.get_by_role("dialog", name="Reject #1")
    await dialog.get_by_role("button", name="Reject").click()
    await expect(dialog.locator(".fault").first).to_have_text("Please fill this in.")
    await expect(dialog.get_by_label("Why?")).to_be_focused()
    await dialog.get_by_label("Why?").fill("too risky at noon")
    await dialog.get_by_label("How bad?").select_option("Very")
    await dialog.get_by_role("button", name="Reject").click()
    await expect(dialog).to_have_count(0)
    (payload,) = await until(lambda: scene.app.payloads("view_submission"))
    values = payload["view"]["state"]["values"]
    assert values["why"]["text"]["value"] == "too risky at noon"
    assert values["how"]["pick"]["selected_option"]["value"] == "very"


async def test_a_modal_is_closed(scene: Scene):
    async def open_modal(payload):
        await scene.app.call("views.open", trigger_id=payload["trigger_id"], view=MODAL)

    scene.app.on_click = open_modal
    await scene.app.post(*actions(button("Reject …", "no")))
    page = await scene.open()
    await page.get_by_role("button", name="Reject …").click()
    await page.get_by_role("dialog").get_by_role("button", name="Not yet").click()
    assert len(await until(lambda: scene.app.payloads("view_closed"))) == 1
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_what_is_for_one_person_is_seen_by_that_person(scene: Scene):
    page = await scene.open()
    await scene.app.call("chat.postEphemeral", channel=INCIDENTS, user=ADA, text="Only *you* may read this")
    only = message(page, "may read this")
    await expect(only).to_contain_text("Only visible to you")
    await act_as(page, GRACE)
    await expect(page.get_by_label("Message #incidents")).to_be_visible()
    await expect(only).to_have_count(0)
    await act_as(page, ADA)
    await only.get_by_role("button", name="Dismiss").click()
    await expect(only).to_have_count(0)


async def test_people_see_the_channels_that_they_are_in(scene: Scene):
    page = await scene.open()
    channels = page.get_by_role("navigation", name="Conversations")
    await expect(channels.get_by_role("link", name="platform-oncall")).to_be_visible()
    await act_as(page, "U0GUEST001")
    await expect(channels.get_by_role("link", name="platform-oncall")).to_have_count(0)
    await expect(page.get_by_label("You act as").locator("option:checked")).to_have_text("Guest (guest)")


async def test_reactions_editing_and_deleting(scene: Scene):
    page = await scene.open()
    await scene.say("a typo hear")
    mine = message(page, "a typo")
    await mine.hover()
    await mine.get_by_role("button", name="Add a reaction").click()
    await page.get_by_role("menuitem", name="eyes").click()
    await expect(mine.get_by_role("button", name="eyes, 1 person")).to_have_attribute("aria-pressed", "true")
    await mine.hover()
    await mine.get_by_role("button", name="Edit your message").click()
    await page.get_by_label("Edit the message").fill("a typo here")
    await page.keyboard.press("Enter")
    await expect(message(page, "a typo here")).to_contain_text("(edited)")
    await mine.hover()
    await mine.get_by_role("button", name="Delete your message").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    await expect(mine).to_have_count(0)


async def test_files_are_attached_and_pictures_are_shown(scene: Scene, tmp_path: Path):
    picture, notes = tmp_path / "chart.png", tmp_path / "notes.html"
    picture.write_bytes(DOT)
    notes.write_text("<script>1</script>")
    page = await scene.open()
    await page.locator(".conversation input[type=file]").set_input_files([picture, notes])
    await page.get_by_label("Message #incidents").fill("as seen here")
    await page.get_by_role("button", name="Send").click()
    shown = message(page, "as seen here")
    await expect(shown.get_by_role("img", name="chart.png")).to_be_visible()
    assert await shown.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 1
    link = shown.get_by_role("link", name="notes.html")
    href = await link.get_attribute("href")
    async with scene.app.http.get(f"{scene.url}{href}") as answer:
        assert answer.headers["Content-Disposition"] == "attachment"
        assert answer.content_type == "application/octet-stream", "a page of somebody's must not run in ours"


async def test_what_the_app_does_is_said_below_the_thread(scene: Scene):
    ts = await scene.say("@SRE Bot look")
    page = await scene.open(f"#/chat/{INCIDENTS}/{ts}")
    thread = {"channel_id": INCIDENTS, "thread_ts": ts}
    await scene.app.call("assistant.threads.setStatus", **thread, status="is reading logs…")
    await expect(page.locator(".thread .status")).to_have_text("SRE Bot is reading logs…")
    await scene.app.post(section("Found it"), thread_ts=ts)
    await expect(page.locator(".thread .status")).to_have_text("")


async def test_the_home_tab_and_suggested_prompts(scene: Scene):
    page = await scene.open("#/app/home")
    (event,) = await until(lambda: scene.app.events("app_home_opened"))
    assert (event["user"], event["tab"]) == (ADA, "home")
    blocks = [{"type": "header", "text": plain("On call: Ada")}, *actions(button("Take over", "take"))]
    view = {"type": "home", "blocks": blocks}
    await scene.app.call("views.publish", user_id=ADA, view=view)
    await expect(page.get_by_role("heading", name="On call: Ada")).to_be_visible()
    await page.get_by_role("button", name="Take over").click()
    (payload,) = await until(lambda: scene.app.payloads("block_actions"))
    assert payload["container"] == {"type": "view", "view_id": payload["view"]["id"]}
    assert (payload["user"]["id"], payload["actions"][0]["action_id"]) == (ADA, "take")
    await page.get_by_role("link", name="Messages").click()
    await until(lambda: len(scene.app.events("app_home_opened")) == 2)
    prompts = [{"title": "How is the fleet?", "message": "Is everything healthy?"}]
    direct = event["channel"]
    await scene.app.call("assistant.threads.setSuggestedPrompts", channel_id=direct, title="Try", prompts=prompts)
    await page.get_by_role("button", name="How is the fleet?").click()
    await expect(message(page, "Is everything healthy?")).to_be_visible()


async def test_what_comes_in_elsewhere_is_counted(scene: Scene):
    page = await scene.open()
    await scene.app.post(section("over here"), channel="C0PLATFORM1")
    other = page.get_by_role("link", name="platform-oncall")
    await expect(other).to_contain_text("1 unread")
    await other.click()
    await expect(message(page, "over here")).to_be_visible()
    await expect(other).not_to_contain_text("unread")


async def test_a_refused_message_is_not_lost(scene: Scene):
    page = await scene.open("#/chat/C0RANDOM001")
    field = page.get_by_label("Message #random")
    await scene.order("outage", seconds=0)  # the control API answers also while Slack is down
    await page.route("**/api/slack/messages", lambda route: route.fulfill(status=400, json={"error": "No room."}))
    await field.fill("do not lose me")
    await field.press("Enter")
    await expect(page.locator(".toast")).to_contain_text("No room.")
    await expect(field).to_have_value("do not lose me")
    scene.errors.clear()  # the browser notes the 400 that was made


async def test_hundreds_of_messages_are_shown_from_their_end(scene: Scene):
    for number in range(500):
        blocks = [section(f"*Message {number}* with `code`"), {"type": "context", "elements": [mrkdwn("7 tool calls")]}]
        await scene.order("messages", channel=INCIDENTS, bot="Busy", text="x", blocks=blocks)
    page = await scene.open()
    await expect(message(page, "Message 499 ")).to_be_in_viewport()
    assert await page.locator(".message").count() < 500
    await page.get_by_role("button", name="Show earlier messages").click()
    await page.locator(".scroller").first.evaluate("element => element.scrollTop = 0")
    while await page.get_by_role("button", name="Show earlier messages").is_visible():
        await page.get_by_role("button", name="Show earlier messages").click()
    await expect(message(page, "Message 0 ")).to_have_count(1)


async def test_arrow_keys_move_between_messages(scene: Scene):
    await scene.say("first")
    await scene.say("second")
    page = await scene.open()
    await message(page, "second").focus()
    await page.keyboard.press("ArrowUp")
    await expect(message(page, "first")).to_be_focused()
