"""What would be decided, if somebody asked for something. Knows paths and shapes only."""

from typing import Annotated

from pydantic import Field

from app.core.limits import SIMULATED_CONTEXT_MAX, SIMULATED_POLICIES_MAX
from app.faces.http.admin.endpoints import Asked, Endpoint, Shape
from app.faces.http.admin.entities import Document, text_of
from app.services.gate.simulating import Foretold, Question, Simulating

Text = Annotated[str, Field(min_length=1, max_length=2048)]
Values = Annotated[list[Annotated[str, Field(max_length=2048)]], Field(max_length=SIMULATED_CONTEXT_MAX)]


class QuestionShape(Shape):
    """`principal`: ARN of a user, a role or an account's root, or "anonymous". `context`: condition keys and what they
    are to be. `resource_policy`: instead of the bucket's own. `session_policies`: narrow what the principal has."""

    principal: Text
    action: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}:[A-Za-z0-9]{1,128}$")]
    resource: Text
    context: Annotated[dict[Text, Text | Values], Field(default_factory=dict, max_length=SIMULATED_CONTEXT_MAX)]
    resource_policy: Document | None = None
    session_policies: Annotated[list[Document], Field(default_factory=list, max_length=SIMULATED_POLICIES_MAX)]


class PolicyAskedShape(Shape):
    """One policy that was asked."""

    kind: str
    name: str


class ForetoldShape(Shape):
    """`decision`: allowed, explicitDeny or implicitDeny. `kind`, `policy`, `statement`: what decided. `missing`: the
    kind of policy whose allow was wanting. `resource_policy`: its own, given, none, not told or not known here."""

    decision: str
    kind: str
    policy: str
    statement: str
    missing: str
    message: str
    considered: list[PolicyAskedShape]
    resource_policy: str


def endpoints(simulating: Simulating) -> list[Endpoint]:
    """Served by managers, and with bucket policies where the database is."""

    def simulate(asked: Asked) -> ForetoldShape:
        body = asked.body
        question = Question(
            body.principal,
            body.action,
            body.resource,
            {name: (value,) if isinstance(value, str) else tuple(value) for name, value in body.context.items()},
            None if body.resource_policy is None else text_of(body.resource_policy),
            tuple(text_of(document) for document in body.session_policies),
        )
        return _shape(simulating.simulate(question, simulating.within(asked.call.caller, asked.account)))

    return [
        Endpoint(
            "POST",
            "/iam/simulate",
            "SimulatePrincipalPolicy",
            "What would be decided, by which statement, or what was missing; nothing is done.",
            simulate,
            body=QuestionShape,
            returned=ForetoldShape,
        )
    ]


def _shape(found: Foretold) -> ForetoldShape:
    considered = [PolicyAskedShape(kind=kind, name=name) for kind, name in found.considered]
    return ForetoldShape(**(found._asdict() | {"considered": considered}))
