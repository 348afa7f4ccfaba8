"""What a model costs in one period, and what a call with so much usage costs then."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from msgspec import Struct

from gateway.types import NANO, Usage

MILLION: Final = 1_000_000
HOUR: Final = 3600
_MOST_SECONDS: Final = 1e9
"""More than any call can last; what a provider claims beyond it is not believed."""


def half_even(amount: int, parts: int) -> int:
    """Divide, rounding half to even."""
    whole, rest = divmod(amount, parts)
    return whole + (rest * 2 > parts or (rest * 2 == parts and whole & 1))


def taken_off(amount: int, usage: Usage) -> int:
    """What a batch takes off an amount, rounding half to even."""
    return half_even(amount * min(max(0, usage.batch_percent), 100), 100)


class Variant(Struct, frozen=True, kw_only=True):
    """The rate of pictures or films of a kind, in 10⁻⁹ of the currency."""

    rate: int
    """Per picture, or per hour."""
    size: str = ""
    """As `1024x1536`; empty for every size."""
    quality: str = ""
    """As `high`; empty for every quality."""


class Units(Struct, frozen=True, kw_only=True):
    """Rates beside those of text, in 10⁻⁹ of the currency."""

    audio_input: int | None = None
    """Per million tokens; None where they cost what others do."""
    audio_output: int | None = None
    """Per million tokens; None where they cost what others do."""
    reasoning: int | None = None
    """Per million tokens; None where they cost what others of the answer do."""
    image: int = 0
    """Per picture, where none of `images` fits."""
    images: tuple[Variant, ...] = ()
    """The first that fits counts."""
    hour: int = 0
    """Per hour of sound or film, where none of `films` fits."""
    films: tuple[Variant, ...] = ()
    """The first that fits counts."""
    characters: int = 0
    """Per million characters."""
    search: int = 0
    """Per search, or bundle of documents to rank."""
    file_search: int = 0
    """Per search in files that the provider keeps."""
    container: int = 0
    """Per container in which the provider ran code of the model's."""
    request: int = 0
    """Per call that has a prompt."""

    def rates(self) -> dict[str, int]:
        """Those that there are, by name; those of variants as `image 1024x1536 high` and `film 1280x720`."""
        found: dict[str, int] = {}
        for name in (
            "audio_input",
            "audio_output",
            "reasoning",
            "image",
            "hour",
            "characters",
            "search",
            "file_search",
            "container",
            "request",
        ):
            if rate := getattr(self, name):
                found[name] = rate
        for word, variants in (("image", self.images), ("film", self.films)):
            for one in variants:
                found[" ".join(filter(None, (word, one.size, one.quality)))] = one.rate
        return found

    def thoughts(self, usage: Usage) -> int:
        """The reasoning tokens that have a rate of their own: what is sound does not count twice."""
        audio = 0 if self.audio_output is None else usage.audio_completion_tokens
        return max(0, min(usage.reasoning_tokens, usage.completion_tokens - audio))

    def fees(self, usage: Usage) -> int:
        """What the tools of the provider cost, in 10⁻⁹ of the currency; no batch makes them cheaper."""
        return (
            usage.searches * self.search
            + usage.file_searches * self.file_search
            + usage.containers * self.container
        )

    def millionths(self, usage: Usage, price: Price) -> int:
        """What is to be added to the cost of all tokens as if they were text, in 10⁻¹⁵ of the currency."""
        seconds = min(max(0.0, usage.seconds), _MOST_SECONDS)
        more = usage.images * rate_of(self.images, usage, self.image)
        if usage.prompt_tokens:
            more += self.request
        millionths = (
            more * MILLION
            + usage.characters * self.characters
            + round(seconds * MILLION) * rate_of(self.films, usage, self.hour) // HOUR
        )
        if self.audio_input is not None and usage.audio_prompt_tokens:
            # Those read from a cache cost the cached rate, whatever they are: nobody says how many of them are audio.
            cached = usage.cached_read_tokens + usage.cached_write_tokens
            tokens = max(0, min(usage.audio_prompt_tokens, usage.prompt_tokens - cached))
            millionths += tokens * (self.audio_input - price.input)
        if self.audio_output is not None:
            tokens = min(usage.audio_completion_tokens, usage.completion_tokens)
            millionths += tokens * (self.audio_output - price.output)
        if self.reasoning is not None:
            millionths += self.thoughts(usage) * (self.reasoning - price.output)
        return millionths


def rate_of(variants: tuple[Variant, ...], usage: Usage, otherwise: int) -> int:
    """The rate of the first variant that fits what was made."""
    for variant in variants:
        if variant.size in ("", usage.size) and variant.quality in ("", usage.quality):
            return variant.rate
    return otherwise


class Price(Struct, frozen=True, kw_only=True):
    """The price of one model in one period. Rates are 10⁻⁹ of the currency per million tokens."""

    input: int
    output: int
    cached_read: int
    cached_write: int
    version: str
    """Of the file that says so."""
    valid_from: float = 0.0
    """Unix seconds."""
    valid_until: float = float("inf")
    """Unix seconds; the first moment at which it no longer holds."""
    above: int = 0
    """Prompts of more tokens than this cost what `long` says."""
    long: Price | None = None
    units: Units | None = None
    """Rates of what is not text, where there are any."""

    def cost(self, usage: Usage) -> int:
        """The cost in 10⁻⁹ of the currency, rounded half to even once, after adding up."""
        if self.long is not None and usage.prompt_tokens > self.above:
            return self.long.cost(usage)
        read, written = usage.cached_read_tokens, usage.cached_write_tokens
        # A provider that counts cached tokens beside the prompt instead of within it must not make the rest negative.
        plain = usage.prompt_tokens - read - written
        millionths = usage.completion_tokens * self.output
        if plain > 0:
            millionths += plain * self.input
        if read or written:
            millionths += read * self.cached_read + written * self.cached_write
        units = self.units
        if units is not None and units.request == 0 and units.reasoning is None and usage.is_text_only():
            units = None  # none of these rates is for text
        if units is not None:
            millionths += units.millionths(usage, self)
        if usage.batch_percent:
            millionths -= taken_off(millionths, usage)
        if units is not None:
            millionths += units.fees(usage) * MILLION
        return half_even(millionths, MILLION) if millionths % MILLION else millionths // MILLION

    def most(self, prompt: int, answer: int) -> int:
        """What a text of so many tokens can cost, all of them at the dearest rate that may hold for them; as `cost`."""
        if self.long is not None and prompt > self.above:
            return self.long.most(prompt, answer)
        units, read, written = self.units, self.input, self.output
        read = max(read, self.cached_write)
        millionths = 0
        if units is not None:
            if units.reasoning is not None and units.reasoning > written:
                written = units.reasoning
            if prompt:
                millionths = units.request * MILLION
        millionths += prompt * read + answer * written
        return half_even(millionths, MILLION) if millionths % MILLION else millionths // MILLION

    def rates(self) -> dict[str, float]:
        """Return the rates in units of the currency, as the data files name them; only those that matter."""
        return {name: rate / NANO for name, rate in self._nanos().items()}

    def shown(self, factor: Decimal = Decimal(1)) -> dict[str, object]:
        """Return the rates times a factor, with those of long prompts as `long`, as lists of models show them."""
        found: dict[str, object] = {name: float(rate * factor) for name, rate in self.amounts().items()}
        if self.long is not None:
            found["long"] = {"above": self.above, **self.long.shown(factor)}
        return found

    def amounts(self) -> dict[str, Decimal]:
        """Return the same as `rates`, exactly."""
        return {name: Decimal(rate) / NANO for name, rate in self._nanos().items()}

    def _nanos(self) -> dict[str, int]:
        found: dict[str, int] = {}
        if self.units is None or self.input or self.output:
            found = {"input": self.input, "output": self.output}
        for name in ("cached_read", "cached_write"):
            if getattr(self, name) != self.input:
                found[name] = getattr(self, name)
        return found if self.units is None else found | self.units.rates()
