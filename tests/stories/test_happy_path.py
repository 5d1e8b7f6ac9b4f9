"""From /start to a picture that is paid for."""

from trt.testing.virtual_time import run_virtual
from trt.testing.world import world


def test_a_tap_becomes_a_delivered_picture() -> None:
    async def story() -> None:
        async with world() as w:
            user = w.telegram.user(first_name="Анна")
            user.send("/start")
            menu = await user.wait_message("Анна")
            user.tap("cat:image")
            await w.settled(5)
            print(user.last.text, user.last.keyboard)
            user.tap("model:z-image")
            await w.settled(5)
            print(user.last.text, user.last.keyboard)
            user.tap(user.last.keyboard[0][0].text)
            await w.settled(5)
            print(user.last.text, user.last.keyboard)
            user.send("лиса")
            await w.settled(5)
            print(user.last.text, user.last.keyboard)
            user.tap(user.last.keyboard[0][0].text)
            await w.settled(5)
            print(user.last.text, user.last.keyboard)
            user.tap("✅ Запустить")
            await w.settled(300)
            for m in user.messages: print(m.message_id, m.kind, repr(m.text), m.edits)
            for e in w.events: print(e.at.time(), e.name, dict(e.fields))

    run_virtual(story)
