"""What plugin authors test with: contract suites, fakes and a pytest plugin. Needs `asgi-gateway[testing]`.

`gateway.testing.contracts` holds a suite for each kind of plugin, `gateway.testing.fakes` stand-ins for the rest of a
gateway, `gateway.testing.upstream` an AI service on the loopback. The pytest plugin brings `gateway_factory` and
`gateway_client`.
"""
