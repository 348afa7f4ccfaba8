"""What the page says, in English and Japanese."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "lang": "en",
        "title": "Connect a program",
        "asks": "A program on a computer asks for an API key in your name.",
        "program": "Program",
        "client": "Sent by",
        "from": "From the address",
        "when": "Asked at",
        "tenant": "For the tenant",
        "warning": "Go on only if you have started this yourself a moment ago. The key can do what your role may do with models, "
        "and you can revoke it at any time.",
        "grant": "Create a key and connect",
        "done": "Connected",
        "close": "The program has its key. You can close this page.",
        "failed": "This did not work",
        "not_found": "Nobody asks for a key with this link any more. Run the command again.",
        "conflict": "A key has been granted with this link already.",
        "csrf": "The form is out of date. Open the link again.",
        "not_signed_in": "You are no longer signed in. Open the link again.",
        "permission_denied": "Your role does not allow keys of your own. Ask an owner or admin.",
    },
    "ja": {
        "lang": "ja",
        "title": "プログラムを接続",
        "asks": "コンピューター上のプログラムが、あなたの名義の API キーを求めています。",
        "program": "プログラム",
        "client": "送信元ソフトウェア",
        "from": "送信元アドレス",
        "when": "要求した日時",
        "tenant": "対象テナント",
        "warning": "たった今ご自身で開始した場合にのみ続行してください。キーはあなたの役割の範囲でモデルを利用でき、いつでも無効にできます。",
        "grant": "キーを作成して接続",
        "done": "接続しました",
        "close": "プログラムにキーを渡しました。このページは閉じてかまいません。",
        "failed": "完了できませんでした",
        "not_found": "このリンクの要求は終了しています。コマンドをもう一度実行してください。",
        "conflict": "このリンクではすでにキーが発行されています。",
        "csrf": "フォームの有効期限が切れています。リンクをもう一度開いてください。",
        "not_signed_in": "サインインの有効期限が切れています。リンクをもう一度開いてください。",
        "permission_denied": "あなたの役割では自分のキーを作成できません。所有者または管理者に依頼してください。",
    },
}
