"""JSON Web Signatures: what apps sign, and what they verify.

Spec: RFC 7515, 7517, 7518
"""

import base64
import hashlib
import hmac
import json
import secrets
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from .checks import Failed

HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
CURVE_BYTES = {"ES256": 32, "ES384": 48}


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _number(value):
    return encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class Key:
    """A private key of an app."""

    def __init__(self, private, alg, kid):
        self.private, self.alg, self.kid = private, alg, kid

    @classmethod
    def read(cls, path, alg, kid):
        with open(path, "rb") as file:
            return cls(serialization.load_pem_private_key(file.read(), None), alg, kid)

    @classmethod
    def fresh(cls, alg, kid):
        if alg.startswith("RS"):
            return cls(rsa.generate_private_key(public_exponent=65537, key_size=2048), alg, kid)
        return cls(ec.generate_private_key(ec.SECP384R1()), alg, kid)

    def pem(self):
        form = serialization.PrivateFormat.PKCS8
        return self.private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())

    def public_pem(self):
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, form)

    def jwk(self):
        numbers = self.private.public_key().public_numbers()
        named = {"kid": self.kid, "alg": self.alg, "use": "sig", "key_ops": ["verify"]}
        if self.alg.startswith("RS"):
            return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)} | named
        size = CURVE_BYTES[self.alg]
        x, y = (encode(value.to_bytes(size, "big")) for value in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-384", "x": x, "y": y} | named

    def sign(self, claims, **header):
        """A token; members of the header that are None are left out."""
        head = {"typ": "JWT", "alg": self.alg, "kid": self.kid} | header
        signed = signing_input({name: value for name, value in head.items() if value is not None}, claims)
        return f"{signed}.{encode(self._signature(signed.encode()))}"

    def _signature(self, data):
        digest = HASHES[self.alg[2:]]()
        if self.alg.startswith("RS"):
            return self.private.sign(data, padding.PKCS1v15(), digest)
        r, s = utils.decode_dss_signature(self.private.sign(data, ec.ECDSA(digest)))
        size = CURVE_BYTES[self.alg]
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def signing_input(header, claims):
    return ".".join(encode(json.dumps(part).encode()) for part in (header, claims))


def unsigned(claims):
    """A token that says itself that it has no signature."""
    return signing_input({"typ": "JWT", "alg": "none"}, claims) + "."


def signed_by_secret(claims, secret, **header):
    """A token with the HMAC of `secret`, which may be somebody's public key."""
    signed = signing_input({"typ": "JWT", "alg": "HS256"} | header, claims)
    return f"{signed}.{encode(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def assertion_claims(client_id, audience, **changed):
    """What an app says to show who it is; members that are None are left out.

    Spec: SMART App Launch 2.2 client-confidential-asymmetric.html#request
    """
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": audience, "exp": now + 240, "jti": secrets.token_urlsafe(16)} | changed
    return {name: value for name, value in claims.items() if value is not None}


def parts(token):
    """Header, claims, what is signed, and the signature of a token."""
    pieces = token.split(".")
    if len(pieces) != 3:
        raise Failed(f"a signed token has three parts; this one has {len(pieces)}")
    try:
        header, claims = (json.loads(decode(piece)) for piece in pieces[:2])
        return header, claims, f"{pieces[0]}.{pieces[1]}".encode(), decode(pieces[2])
    except ValueError as problem:
        raise Failed(f"the token can't be decoded: {problem}") from problem


def verified(token, jwks, alg="RS256"):
    """The claims of a token that one of these public keys signed."""
    header, claims, data, signature = parts(token)
    if header.get("alg") != alg:
        raise Failed(f"the token is signed by {header.get('alg')!r} instead of {alg}")
    fitting = [key for key in jwks.get("keys", []) if key.get("kid") == header.get("kid") and key.get("kty") == "RSA"]
    if len(fitting) != 1:
        raise Failed(f"{len(fitting)} RSA keys of the JWKS have the kid {header.get('kid')!r} of the token")
    n, e = (int.from_bytes(decode(fitting[0][member]), "big") for member in ("n", "e"))
    try:
        rsa.RSAPublicNumbers(e, n).public_key().verify(signature, data, padding.PKCS1v15(), HASHES[alg[2:]]())
    except InvalidSignature as problem:
        raise Failed("the signature of the token is not by the key that it names") from problem
    return claims
