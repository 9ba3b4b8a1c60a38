// Why a token, or a sign-in at an identity provider, is refused: in words for the operator, which whoever sent it is never told.

export class CredentialRefused extends Error {}
