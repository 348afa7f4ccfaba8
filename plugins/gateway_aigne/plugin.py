"""The plugin: which path is answered by what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from starlette.routing import Route

from gateway.errors import ConfigError
from gateway.plugin import Plugin, hookimpl
from gateway_aigne import discovery, native, words
from gateway_aigne.account import Account
from gateway_aigne.apps import Apps
from gateway_aigne.config import AigneConfig
from gateway_aigne.credit import Credit
from gateway_aigne.discovery import Discovery
from gateway_aigne.gate import Gate, Handled, Straight
from gateway_aigne.models import Models
from gateway_aigne.usage import Usage
from gateway_aigne.video import Video

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

_STRAIGHT: Final = {
    "/audio/speech": words.speech,
    "/audio/transcriptions": words.transcription,
    "/chat/completions": words.chat,
    "/completions": words.completions,
    "/image/generations": words.images,
}
"""What is OpenAI's but for names of fields, in `/api/v1` and in `/api/v2`."""
_SESSION: Final = "/.well-known/service/api/access-key/session"


class Aigne(Plugin[AigneConfig]):
    """Serves the interfaces of AIGNE Hub: `/api/v1` to components, `/api/v2` to users."""

    id = "service.aigne"
    Config = AigneConfig

    @hookimpl
    def register_routes(self) -> Sequence[BaseRoute]:
        """Give all routes. Raises `ConfigError` without the library for handing over keys."""
        try:
            return [*self._interfaces(), *self._connecting()]
        except ImportError as error:
            raise ConfigError(
                [f"[service.{self.name}] needs the package '{error.name}': pip install 'asgi-gateway[aigne]'"]
            ) from None

    def _interfaces(self) -> list[BaseRoute]:
        api, context = f"{self.config.prefix}/api", self.context
        users = Gate(context)
        components = Gate(context, frozenset(self.config.v1_authenticators))
        models = Models(context.calls, context.sessions.rules.operator_tenant)
        credit = Credit(context)
        account, usage = Account(context, credit), Usage(context, credit)
        apps = Apps(context, credit, self.config.apps_tenant)
        posts = {
            **{f"/v2{path}": Straight(users, put) for path, put in _STRAIGHT.items()},
            **{f"/v1{path}": Straight(components, put) for path, put in _STRAIGHT.items()},
            "/v1/embeddings": Straight(components, words.embeddings),
            "/app/subscription/cancel": Handled(users, apps.cancel),
            "/app/subscription/recover": Handled(users, apps.recover),
            "/v2/chat": Straight(users, words.aigne_chat),
            "/v2/embeddings": Handled(users, native.embeddings),
            "/v2/image": Handled(users, native.image),
            "/v2/video": Video(users),
        }
        posts |= {
            path.replace("/v1/", "/v1/sdk/", 1): app for path, app in posts.items() if path.startswith("/v1/")
        }
        listed = models.listed if self.config.public_models else Handled(users, models.listed_to)
        gets = {
            "/ai-providers/models": listed,
            "/ai/models": listed,
            "/ai-providers/chat/models": Handled(users, models.chat),
            "/app/config": Handled(users, apps.config),
            "/app/status": Handled(components, apps.status),
            "/app/usage": Handled(components, usage.of_app),
            "/usage/projects": Handled(users, usage.projects),
            "/usage/projects/calls": Handled(users, account.calls),
            "/usage/projects/group-trends": Handled(users, usage.group_trends),
            "/usage/projects/trends": Handled(users, usage.project_trends),
            "/usage/quota": Handled(users, usage.quota),
            "/usage/trends": Handled(users, usage.trends),
            "/user/admin/user-stats": Handled(users, usage.everybodys_models),
            "/user/credit/balance": Handled(users, credit.balance),
            "/user/credit/grants": Handled(users, credit.grants),
            "/user/credit/payment-link": Handled(users, credit.payment_link),
            "/user/credit/transactions": Handled(users, credit.transactions),
            "/user/info": Handled(users, account.info),
            "/user/model-calls": Handled(users, account.calls),
            "/user/model-calls/export": Handled(users, account.export),
            "/user/usage-stats": Handled(users, usage.models),
            "/v1/status": Handled(components, models.available),
            "/v1/sdk/status": Handled(components, models.available),
            "/v2/status": Handled(users, models.status),
        }
        return [
            Route(discovery.PATH, Discovery(self.config.prefix).show),
            Route(f"{api}/app/config", Handled(users, apps.change_config), methods=["PATCH"]),
            Route(f"{api}/app/register", apps.register, methods=["POST"]),
            *(Route(f"{api}{path}", app, methods=["POST"]) for path, app in posts.items()),
            *(Route(f"{api}{path}", app, methods=["GET"]) for path, app in gets.items()),
        ]

    def _connecting(self) -> list[BaseRoute]:
        from gateway_aigne.connecting import Connecting  # noqa: PLC0415 - needs an extra
        from gateway_aigne.page import PATH, GrantPage  # noqa: PLC0415

        connecting = Connecting(self.context)
        page = GrantPage(self.context, connecting)
        return [
            Route(_SESSION, connecting.begin, methods=["POST"]),
            Route(_SESSION, connecting.show, methods=["GET"]),
            Route(_SESSION, connecting.end, methods=["DELETE"]),
            Route(PATH, page.ask, methods=["GET"]),
            Route(PATH, page.grant, methods=["POST"]),
        ]
