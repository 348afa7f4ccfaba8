"""Money in through Stripe: `billing.stripe`."""

from gateway_stripe.plugin import StripeBilling

__all__ = ["StripeBilling"]
