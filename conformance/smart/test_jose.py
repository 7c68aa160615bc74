"""Signatures: what apps sign is verified, and what was changed is not."""

import unittest

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from runner.checks import Failed
from runner.flow import challenge_of, verifier
from runner.jose import Key, assertion_claims, encode, parts, signed_by_secret, unsigned, verified


class Tokens(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rsa, cls.other = Key.fresh("RS256", "a"), Key.fresh("RS256", "a")
        cls.ec = Key.fresh("ES384", "e")

    def test_a_token_is_verified_by_the_key_that_it_names(self):
        token = self.rsa.sign({"sub": "x"})

        self.assertEqual(verified(token, {"keys": [self.ec.jwk(), self.rsa.jwk()]}), {"sub": "x"})

    def test_another_key_another_kid_and_another_algorithm_are_refused(self):
        token, jwks = self.rsa.sign({"sub": "x"}), {"keys": [self.rsa.jwk()]}
        for bad in (
            self.other.sign({"sub": "x"}),
            self.rsa.sign({"sub": "x"}, kid="b"),
            self.rsa.sign({"sub": "x"}, alg="RS384"),
            token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB"),
            unsigned({"sub": "x"}),
            "a.b",
            signed_by_secret({"sub": "x"}, self.rsa.public_pem(), kid="a"),
        ):
            with self.assertRaises(Failed, msg=bad):
                verified(bad, jwks)

    def test_a_signature_on_a_curve_is_two_numbers_of_48_bytes(self):
        _, _, data, signature = parts(self.ec.sign({"sub": "x"}))

        self.assertEqual(len(signature), 96)
        r, s = (int.from_bytes(half, "big") for half in (signature[:48], signature[48:]))
        public = self.ec.private.public_key()
        public.verify(utils.encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA384()))
        with self.assertRaises(InvalidSignature):
            public.verify(utils.encode_dss_signature(s, r), data, ec.ECDSA(hashes.SHA384()))

    def test_coordinates_in_a_key_have_their_full_length(self):
        for _ in range(20):
            jwk = Key.fresh("ES384", "e").jwk()
            self.assertEqual((len(jwk["x"]), len(jwk["y"])), (64, 64))

    def test_a_header_or_a_claim_that_is_none_is_left_out(self):
        header, claims, _, _ = parts(self.rsa.sign(assertion_claims("me", "there", jti=None), kid=None))

        self.assertEqual(set(header), {"typ", "alg"})
        self.assertEqual(set(claims), {"iss", "sub", "aud", "exp"})

    def test_the_challenge_is_that_of_the_example_in_rfc_7636(self):
        self.assertEqual(
            challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        )
        self.assertGreaterEqual(len(verifier()), 43)
        self.assertEqual(encode(b"\xff\xfe"), "__4")


if __name__ == "__main__":
    unittest.main()
