"""A certificate authority of a cluster, and the keys that its service accounts are signed with."""

import base64
import datetime
import hashlib
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

YEARS = datetime.timedelta(days=3650)
USAGE = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
         "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")


def private_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def named(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def usage(*allowed):
    return x509.KeyUsage(**{name: name in allowed for name in USAGE})


class Authority:
    """Signs server certificates; lives in memory with its cluster."""

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = named("kubernetes")
        self.certificate = self._signed(self.name, self.key.public_key(), [
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (usage("key_cert_sign", "digital_signature"), True)])
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM)

    def _signed(self, subject, public_key, extensions):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder(
            self.name, subject, public_key, x509.random_serial_number(),
            now - datetime.timedelta(hours=1), now + YEARS)
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        extensions = [*extensions, (authority, False),
                      (x509.SubjectKeyIdentifier.from_public_key(public_key), False)]
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, hashes.SHA256())

    def serve(self, *hosts):
        """(certificate, key) in PEM of a server that is reached by these names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(named(hosts[0]), key.public_key(), [
            (x509.SubjectAlternativeName([general(host) for host in hosts]), False),
            (usage("digital_signature", "key_encipherment"), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)])
        return certificate.public_bytes(serialization.Encoding.PEM), private_pem(key)


def general(host):
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


class Signer:
    """The RSA key of service-account tokens; EKS's issuer publishes RS256 keys too."""

    def __init__(self):
        self.key = rsa.generate_private_key(65537, 2048)
        self.pem = private_pem(self.key)

    def jwks(self):
        """RFC 7517; the key id is the one that the API server writes into tokens."""
        public = self.key.public_key()
        der = public.public_bytes(serialization.Encoding.DER,
                                  serialization.PublicFormat.SubjectPublicKeyInfo)
        numbers = public.public_numbers()
        return {"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig",
                          "kid": base64url(hashlib.sha256(der).digest()),
                          "n": base64url(number(numbers.n)), "e": base64url(number(numbers.e))}]}


def number(value):
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
