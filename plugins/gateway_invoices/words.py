"""The words on an invoice, in the languages that there are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "invoice": "Invoice",
        "credit_note": "Credit note",
        "draft": "Draft",
        "void": "Void",
        "paid": "Paid",
        "number": "Number",
        "issued_on": "Date of issue",
        "due_on": "Due by",
        "of_number": "For invoice",
        "period": "Period",
        "from": "From",
        "to": "Bill to",
        "tax_id": "Tax ID",
        "text": "Description",
        "quantity": "Quantity",
        "price": "Price",
        "amount": "Amount",
        "adjustment": "Repricing of {calls} earlier calls",
        "net": "Subtotal",
        "tax": "{name} {percent}%",
        "tax_within": "of which {name} {percent}%",
        "total": "Total",
        "credit_total": "Total credited",
        "credits": "Price of one credit: {price}",
        "payment": "Payment",
        "reverse_charge": "Reverse charge: the customer accounts for {name}.",
        "by_line": "Each line is rounded by itself.",
        "by_invoice": "The sum is rounded once and shared out over the lines.",
        "unpriced": "{calls} calls without a price are not charged.",
        "comma": ", ",
        "page": "Page {page} of {pages}",
        "calls": "{n} calls",
        "input_tokens": "{n} input tokens",
        "cached_read_tokens": "{n} of them read from cache",
        "cached_write_tokens": "{n} of them written to cache",
        "output_tokens": "{n} output tokens",
        "reasoning_tokens": "{n} of them reasoning",
        "images": "{n} images",
        "seconds": "{n} seconds",
        "characters": "{n} characters",
        "searches": "{n} searches",
        "file_searches": "{n} searches in files",
        "containers": "{n} containers for code",
        "audio_prompt_tokens": "{n} of the input audio",
        "audio_completion_tokens": "{n} of the output audio",
    },
    "ja": {
        "invoice": "請求書",
        "credit_note": "返還請求書",
        "draft": "下書き",
        "void": "無効",
        "paid": "支払済",
        "number": "番号",
        "issued_on": "発行日",
        "due_on": "支払期限",
        "of_number": "対象の請求書",
        "period": "利用期間",
        "from": "発行者",
        "to": "請求先",
        "tax_id": "登録番号",
        "text": "内容",
        "quantity": "数量",
        "price": "単価",
        "amount": "金額",
        "adjustment": "過去の呼び出し{calls}件の価格調整",
        "net": "小計",
        "tax": "{name} {percent}%",
        "tax_within": "うち{name} {percent}%",
        "total": "合計",
        "credit_total": "返還額合計",
        "credits": "1クレジットの価格:{price}",
        "payment": "お支払い方法",
        "reverse_charge": "リバースチャージ方式:{name}は請求先が申告・納付します。",
        "by_line": "端数は明細行ごとに処理しています。",
        "by_invoice": "端数は合計額で一度だけ処理し、明細行に配分しています。",
        "unpriced": "価格のない呼び出し{calls}件は請求していません。",
        "comma": "、",
        "page": "{page} / {pages}ページ",
        "calls": "呼び出し{n}回",
        "input_tokens": "入力{n}トークン",
        "cached_read_tokens": "うちキャッシュ読み取り{n}",
        "cached_write_tokens": "うちキャッシュ書き込み{n}",
        "output_tokens": "出力{n}トークン",
        "reasoning_tokens": "うち推論{n}",
        "images": "画像{n}枚",
        "seconds": "{n}秒",
        "characters": "{n}文字",
        "searches": "検索{n}回",
        "file_searches": "ファイル検索{n}回",
        "containers": "コード実行コンテナ{n}個",
        "audio_prompt_tokens": "入力のうち音声{n}",
        "audio_completion_tokens": "出力のうち音声{n}",
    },
}

_MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905 - the list is longer


def words(language: str) -> Mapping[str, str]:
    """The words of a language; English where it is not known."""
    return WORDS.get(language, WORDS["en"])


def day(iso: str, language: str) -> str:
    """A date as people write it."""
    when = date.fromisoformat(iso)
    if language == "ja":
        return f"{when.year}年{when.month}月{when.day}日"
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year}"
