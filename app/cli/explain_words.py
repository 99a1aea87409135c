"""The words of `zapfs admin` that explain decisions: of a request that was, and of one that might be."""

from typing import Final

from app.cli.words import Word

REQUEST: Final = Word(
    "what became of a recent request, by its x-amz-request-id", "GET", "/v1/requests/{request_id}", ("request_id",)
)
