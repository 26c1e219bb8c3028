"""Tokens of another issuer, signed by PyJWT, and the webhook's signature, checked by hand."""

import base64
import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from swiftlet import System, eventually

CALL = {"model": "chat", "prompt": "Once upon a time", "max_tokens": 12, "ignore_eos": True, "temperature": 0}
ISSUER = "https://login.example.org"
KEYS = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


class Receiver(HTTPServer):
    """A webhook that fails at first."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.received = []
        self.failures = 1
        # What it has for those who get, and how often they did.
        self.document, self.fetched = b"", 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            self.server.received.append((dict(self.headers.items()), body))
            self.send_response(200 if len(self.server.received) > self.server.failures else 500)
            self.end_headers()

        def do_GET(self):
            self.server.fetched += 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.server.document)))
            self.end_headers()
            self.wfile.write(self.server.document)

        def log_message(self, *_):
            pass


@pytest.fixture(scope="module")
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.shutdown()


@pytest.fixture(scope="module")
def federated(system, tmp_path_factory, receiver):
    """A system that takes an issuer's tokens and has a webhook."""
    other = System(tmp_path_factory.mktemp("federated") / "state").borrow_models(system)
    entries = []
    for name, key in KEYS.items():
        algorithm = jwt.get_algorithm_by_name(name)
        entries.append({**json.loads(algorithm.to_jwk(key.public_key())), "kid": name, "use": "sig"})
    (other.state / "jwks.json").write_text(json.dumps({"keys": entries + [{"kty": "unheard-of", "kid": "?"}]}))
    (other.state / "swiftlet.yaml").write_text(
        f"jwt: {{issuer: '{ISSUER}', audience: swiftlet, jwks: jwks.json, tenant_claim: org}}\n"
        f"webhook: {{url: 'http://127.0.0.1:{receiver.server_port}/hook', secret: hush}}\n")
    try:
        yield other.serve()
        assert other.stop() == 0
    finally:
        if other.process:
            other.kill()


def token(algorithm: str, **claims) -> str:
    claims = {"iss": ISSUER, "aud": "swiftlet", "exp": time.time() + 60, "org": "acme", **claims}
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, KEYS[algorithm], algorithm, headers={"kid": algorithm})


def by_hand(header: dict, claims: dict, secret: bytes) -> str:
    """A token that PyJWT refuses to make."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    signature = hmac.digest(secret, b".".join(parts), hashlib.sha256)
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_token_opens_for_its_tenant(federated, algorithm):
    answer = federated.post("/v1/completions", CALL, key=token(algorithm))
    assert answer.status == 200, answer.body
    record = federated.invocation(answer.invocation, key=token("ES256"))
    assert record["cost"] > 0
    assert federated.request("GET", f"/v1/invocations/{answer.invocation}", key=token(algorithm, org="other")).status == 404


@pytest.mark.parametrize("wrong", [{"exp": 1}, {"aud": "other"}, {"iss": "https://evil.example.org"}, {"org": None}, {"org": "../etc"}, {"exp": None}])
def test_a_token_with_wrong_claims_is_refused(federated, wrong):
    answer = federated.request("GET", "/v1/models", key=token("RS256", **wrong))
    assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")


def test_unsigned_and_forged_tokens_are_refused(federated):
    claims = {"iss": ISSUER, "aud": "swiftlet", "exp": time.time() + 60, "org": "acme"}
    public = (federated.state / "jwks.json").read_text()
    forged = [
        jwt.encode(claims, None, "none", headers={"kid": "RS256"}),
        by_hand({"alg": "HS256", "kid": "RS256"}, claims, public.encode()),
        jwt.encode(claims, rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256", headers={"kid": "RS256"}),
        jwt.encode(claims, KEYS["RS256"], "RS256", headers={"kid": "unknown"}),
        jwt.encode(claims, KEYS["RS256"], "RS256"),
        token("ES256")[:-4] + "AAAA",
    ]
    for text in forged:
        assert federated.request("GET", "/v1/models", key=text).status == 401


def test_a_tenant_has_a_budget_as_a_key_has(federated):
    assert federated.post("/v1/completions", CALL, key=token("ES256", org="poor")).status == 200
    federated.command("keys", "update", "jwt-poor", "--max-budget", "0")
    assert federated.post("/v1/completions", CALL, key=token("ES256", org="poor")).status == 402
    federated.command("keys", "revoke", "jwt-poor")
    eventually(lambda: federated.request("GET", "/v1/models", key=token("ES256", org="poor")).status == 401, what="the refusal")


def test_a_soft_budget_tells_the_webhook_once_though_it_fails_at_first(federated, receiver):
    key = federated.new_key("soft", "--soft-budget", "0.000001", "--owner", "me@example.org")
    for _ in range(3):
        assert federated.post("/v1/completions", CALL, key=key).status == 200
    eventually(lambda: len(receiver.received) == 2, within=15, what="the second try")
    (first, body), (second, again) = receiver.received
    first, second = ({name.lower(): value for name, value in headers.items()} for headers in (first, second))
    assert body == again and first["webhook-id"] == second["webhook-id"]
    signed = f"{second['webhook-id']}.{second['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(b"hush", signed, hashlib.sha256)).decode()
    assert second["webhook-signature"] == f"v1,{expected}"
    event = json.loads(body)
    assert event["type"] == "key.soft_budget_passed" and event["data"]["owner"] == "me@example.org"
    assert event["data"]["spent"] >= event["data"]["soft_budget"] == 0.000001


def test_keys_come_from_a_url_too_and_are_asked_for_once(federated, receiver):
    receiver.document = (federated.state / "jwks.json").read_bytes()
    settings = federated.state / "swiftlet.yaml"
    settings.write_text(settings.read_text().replace("jwks: jwks.json", f"jwks: 'http://127.0.0.1:{receiver.server_port}/jwks.json'"))
    assert federated.stop() == 0
    federated.serve()
    for algorithm in [*KEYS, *KEYS]:
        assert federated.request("GET", "/v1/models", key=token(algorithm)).status == 200
    assert receiver.fetched == 1
