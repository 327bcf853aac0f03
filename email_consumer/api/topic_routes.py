"""Topics and their statistics, including the paths of earlier services."""

from typing import Annotated

from aiohttp import web
from pydantic import Field

from email_consumer.api.cancellations import Cancellations, Receipt
from email_consumer.api.progress import Progress, ProgressReader
from email_consumer.api.statistics import Statistics
from email_consumer.message.fields import LONGEST_KEY, is_one_line
from email_consumer.store.status import Status
from email_consumer.web.grant import Scope
from email_consumer.web.routing import (
    ApiError,
    ApiModel,
    LaneCounts,
    ResultCounts,
    StatusCounts,
    answer,
    operation,
    read_query,
)


class Hours(ApiModel):
    hours: Annotated[int, Field(ge=1, le=168)] = 24
    """Hours to look back."""


class Count(ApiModel):
    count: int


class Topic(ApiModel):
    """Opens and clicks by programs are counted separately, such as MachineOpen."""

    request_counts: StatusCounts
    """Mails by status."""
    lane_counts: LaneCounts
    """`request_counts` by lane."""
    result_counts: ResultCounts
    """Distinct recipients by kind of result."""
    known: bool
    """Whether any mail of the topic is recorded; mail in the stream counts once it is claimed."""
    progress: Progress
    cancellation: Receipt | None


class PlanCounts(ApiModel):
    """The format of an earlier service, whose plans are topics here; `created` includes mail being sent."""

    total: int
    created: int
    sent: int
    failed: int
    stopped: int


class TopicRoutes:
    def __init__(self, statistics: Statistics, cancellations: Cancellations, progress: ProgressReader) -> None:
        self._statistics = statistics
        self._progress = progress
        self._cancellations = cancellations

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/topics/{topic_id:[^/]+}", self.show),
            web.delete("/v1/topics/{topic_id:[^/]+}", self.cancel),
            web.get("/v1/events/counts/sent", self.count_sent),
            web.get("/v1/results/sent", self.count_sent_by_old_path),
            web.get("/v1/results/count/{plan_id:[^/]+}", self.count_plan),
        ]

    @operation("A topic's statistics and latest cancellation", answer=Topic, scope=Scope.READ)
    async def show(self, request: web.Request) -> web.Response:
        topic_id = request.match_info["topic_id"]
        unseen = await self._progress.unseen()
        requests = await self._statistics.requests(topic_id)
        transactional = await self._statistics.transactional(topic_id)
        results = await self._statistics.results(topic_id)
        bulk = {status: max(0, count - transactional[status]) for status, count in requests.items()}
        return answer(
            Topic(
                request_counts=_by_name(requests),
                lane_counts=LaneCounts(transactional=_by_name(transactional), bulk=_by_name(bulk)),
                result_counts=ResultCounts.model_validate(results),
                known=any(requests.values()),
                progress=await self._progress.read(topic_id, requests, results, unseen),
                cancellation=await self._cancellations.receipt(topic_id),
            )
        )

    @operation(
        "Cancel mail that is not sent yet; later mail of the topic is sent",
        answer=Receipt,
        errors=(422,),
        scope=Scope.ADMIN,
    )
    async def cancel(self, request: web.Request) -> web.Response:
        topic_id = request.match_info["topic_id"]
        if len(topic_id) > LONGEST_KEY or not is_one_line(topic_id):
            raise ApiError(422, "invalid", f"topic_id: must be one line of at most {LONGEST_KEY} characters")
        return answer(await self._cancellations.cancel(topic_id))

    @operation("Mails that SES accepted in the last hours", query=Hours, answer=Count, scope=Scope.READ)
    async def count_sent(self, request: web.Request) -> web.Response:
        hours = read_query(request, Hours).hours
        return answer(Count(count=await self._statistics.sent(hours)))

    @operation("Older path of /v1/events/counts/sent", query=Hours, answer=Count, scope=Scope.READ)
    async def count_sent_by_old_path(self, request: web.Request) -> web.Response:
        return await self.count_sent(request)

    @operation("Older form of /v1/topics/{topic_id}", answer=PlanCounts, scope=Scope.READ)
    async def count_plan(self, request: web.Request) -> web.Response:
        counts = await self._statistics.requests(request.match_info["plan_id"])
        return answer(
            PlanCounts(
                total=sum(counts.values()),
                created=counts[Status.CREATED] + counts[Status.PROCESSED],
                sent=counts[Status.SENT],
                failed=counts[Status.FAILED],
                stopped=counts[Status.STOPPED],
            )
        )


def _by_name(counts: dict[Status, int]) -> StatusCounts:
    return StatusCounts.model_validate({status.name.title(): count for status, count in counts.items()})
