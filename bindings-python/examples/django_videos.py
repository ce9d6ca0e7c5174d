"""Videos behind a Django site: created once per Idempotency-Key, played from the service without a file in between.

    pip install django gunicorn
    export JUNFEIAI_API_KEY=sk-... JUNFEIAI_JOURNAL=site.journal
    gunicorn django_videos:application --workers 2 --preload

    curl localhost:8000/videos -H 'Idempotency-Key: 4711' --json '{"prompt": "A red ball", "seconds": 6}'
    curl localhost:8000/videos/TASK_ID                   # {"status": "succeeded", ...}
    curl localhost:8000/videos/TASK_ID/file -o ball.mp4  # answers Range requests: a <video> element can seek

The views are as in a site of yours; settings and addresses are here only to make it one file. One client is enough for all
threads and all worker processes: it may be made before they are forked (``--preload``) or after. Under ASGI use
``AsyncClient`` in ``async def`` views, with ``await``; the rest is the same.
This example has no users of its own: where there are some, put the user's id in front of the key.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from junfeiai import Client, InvalidRequestError, JunFeiAIError, NotFoundError, NotReadyError

View = Callable[..., HttpResponseBase]
settings.configure(ALLOWED_HOSTS=["localhost", "127.0.0.1"], ROOT_URLCONF=__name__, MIDDLEWARE=[])
client = Client(journal=os.environ["JUNFEIAI_JOURNAL"])


def errors_as_json(view: View) -> View:
    """Errors of the request are the client's, all others are not; sending it again with the same key is safe in any case."""

    @wraps(view)
    def answer(request: HttpRequest, *arguments: str, **names: str) -> HttpResponseBase:
        try:
            return view(request, *arguments, **names)
        except JunFeiAIError as error:
            known = {InvalidRequestError: 422, NotFoundError: 404, NotReadyError: 409}
            status = next((status for kind, status in known.items() if isinstance(error, kind)), 502)
            return JsonResponse({"kind": error.kind, "detail": str(error), "task_id": error.task_id}, status=status)

    return answer


@require_POST
@errors_as_json
def create(request: HttpRequest) -> HttpResponseBase:
    """Creates a video, or finds the one that was created under this key."""
    key, order = request.headers.get("Idempotency-Key"), json.loads(request.body)
    if not key:
        return JsonResponse({"detail": "Idempotency-Key is missing."}, status=422)
    task = client.videos.create(order.get("prompt", ""), seconds=order.get("seconds"), size=order.get("size"), key=key)
    return JsonResponse({"task_id": task.id, "reused": task.reused, "worker": os.getpid()}, status=202)


@require_GET
@errors_as_json
def status(request: HttpRequest, task_id: str) -> HttpResponseBase:
    task = client.videos.get(task_id)
    return JsonResponse({"task_id": task.id, "status": task.status, "progress": task.progress, "worker": os.getpid()})


@require_GET
@errors_as_json
def file(request: HttpRequest, task_id: str) -> HttpResponseBase:
    """The MP4 itself, as it comes from the service. The API key stays here."""
    answer = client.videos.video(task_id).serve(request.headers.get("Range"))
    return StreamingHttpResponse(answer, status=answer.status, headers=answer.headers)


urlpatterns = [path("videos", create), path("videos/<str:task_id>", status), path("videos/<str:task_id>/file", file)]
application = get_wsgi_application()
