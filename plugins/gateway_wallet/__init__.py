"""Signing in with passkeys, wallets and keys: `auth.wallet`."""

from gateway_wallet.plugin import Wallet

__all__ = ["Wallet"]
