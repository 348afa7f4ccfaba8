"""Measuring a gateway: a mock upstream, a load generator, and what the operating system says of the process under load.

Gateway, upstream and load generator are processes of their own, on cores of their own where the machine has them, so that
nothing of the measuring is counted as the gateway's.
"""
