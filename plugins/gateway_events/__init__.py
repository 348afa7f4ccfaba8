"""Usage events: settled calls as CloudEvents, sent to webhooks, tables, files, brokers and meters: `sink.*`.

Each sink is a module of its own, named by its entry point; its client library is imported when it is enabled.
"""
