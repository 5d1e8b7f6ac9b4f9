"""What is no longer needed does not stay, and what is needed does."""

from tests.stories import kit
from trt.sandbox.kie_script import Never
from trt.testing.world import World

FOUR_DAYS_S = 4 * 86_400


@kit.SEEDS
def test_the_calls_of_old_jobs_go_and_those_of_a_running_one_stay(seed: int) -> None:
    async def story(w: World) -> None:
        anna, boris = w.telegram.user(), w.telegram.user(first_name="Борис")
        await kit.orders_picture(anna)
        await w.settled(60)
        await kit.orders_picture(anna)  # this one ended just now
        await w.settled(60)
        w.kie.script(Never())
        await kit.orders_picture(boris)
        await w.settled(5)
        old, _ = await kit.jobs_of(w, anna)
        await w.rows(
            "UPDATE jobs SET ended_at = ended_at - :by WHERE job_id = :job",
            by=FOUR_DAYS_S,
            job=old.job_id,
        )
        await w.rows("UPDATE job_attempts SET began_at = began_at - :by", by=FOUR_DAYS_S)
        before = await w.rows("SELECT job_id FROM job_attempts")
        await w.bot.stop()
        await w.start()
        await w.settled(5)
        after = await w.rows("SELECT job_id FROM job_attempts")
        assert set(before) - set(after) == {(old.job_id,)}
        assert len(after) == 2

    kit.tell(story, seed)
