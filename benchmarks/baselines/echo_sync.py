"""The least that the default, synchronous functions framework does for a request: answer it."""

import functions_framework


@functions_framework.http
def echo(request):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201  the framework carries no types
    """Answer with nothing."""
    request.get_data()
    return "{}"
