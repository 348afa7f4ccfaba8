// What people read, in the language of the page.

const WORDS = {
  en: {
    failed: "That did not work. Try again.",
    cancelled: "Cancelled.",
    passkeyExists: "This device holds a passkey for this account already.",
    newPasskey: "Create an account with a new passkey",
    chooseWallet: "Choose a wallet",
    scan: "Scan this code with your DID Wallet.",
    scanned: "Confirm in your wallet.",
    busy: "Your wallet is busy. Finish there what you began.",
    open: "Open the wallet on this device",
    cancel: "Cancel",
    code: "QR code for DID Wallet",
  },
  ja: {
    failed: "うまくいきませんでした。もう一度お試しください。",
    cancelled: "キャンセルしました。",
    passkeyExists: "この端末には、このアカウントのパスキーがすでにあります。",
    newPasskey: "新しいパスキーでアカウントを作成",
    chooseWallet: "ウォレットを選択",
    scan: "DID ウォレットでこのコードを読み取ってください。",
    scanned: "ウォレットで確認してください。",
    busy: "ウォレットは別の操作中です。先にそちらを終えてください。",
    open: "この端末のウォレットを開く",
    cancel: "キャンセル",
    code: "DID ウォレット用のQRコード",
  },
};

export const words = WORDS[document.documentElement.lang.slice(0, 2)] ?? WORDS.en;
