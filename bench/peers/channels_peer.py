"""Django Channels: a consumer that joins a group, as its tutorial has it, and channels_redis' pub/sub layer.

`REDIS_URL` says where the group's events come from.
Run as: uvicorn bench.peers.channels_peer:application
"""

from __future__ import annotations

import os
from typing import Any

import django
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

GROUP = "bench"

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.urandom(32).hex(),
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [os.environ["REDIS_URL"]]},
        }
    },
)
django.setup()


class Listener(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Hears what is sent to the group."""

    async def connect(self) -> None:
        """Joins, and lets the client in."""
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:  # noqa: ARG002
        """Leaves."""
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def event(self, message: dict[str, Any]) -> None:
        """Somebody called `group_send(GROUP, {"type": "event", "text": ...})`."""
        await self.send(text_data=message["text"])


def healthz(_request: HttpRequest) -> HttpResponse:
    """It is up."""
    return HttpResponse("ok")


urlpatterns = [path("healthz", healthz)]
application = ProtocolTypeRouter(
    {"http": get_asgi_application(), "websocket": URLRouter([path("ws", Listener.as_asgi())])}
)
