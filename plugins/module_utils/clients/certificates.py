# Copyright: groundwork.aws contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A certificate for servers inside a network, signed by an authority that signs nothing else."""
from __future__ import annotations

import datetime

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
except ImportError:  # told where a certificate is made
    x509 = None

from ..engine.errors import Failure

USAGES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
          "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")


def made(dns_names: list[str], days: int, former: str = "") -> dict[str, str]:
    """ca.crt, tls.crt and tls.key in PEM, as a Kubernetes Secret of the type TLS names them.

    The authority's own key is kept nowhere: nobody can sign another certificate. `former` are
    authorities to trust as well for as long as they last: those of servers that still run.
    """
    if x509 is None:
        raise Failure("the Python library cryptography is missing, which makes certificates")
    authority, server = (ec.generate_private_key(ec.SECP256R1()) for _which in range(2))
    issuer, subject = named(f"CA of {dns_names[0]}"), named(dns_names[0])
    now = datetime.datetime.now(datetime.timezone.utc)

    def signed(name, key, *extensions):
        builder = x509.CertificateBuilder(
            issuer, name, key.public_key(), x509.random_serial_number(),
            now - datetime.timedelta(hours=1), now + datetime.timedelta(days=days))
        for extension, critical in [
                *extensions,
                (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
                (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()),
                 False)]:
            builder = builder.add_extension(extension, critical)
        return builder.sign(authority, hashes.SHA256()).public_bytes(
            serialization.Encoding.PEM).decode()

    return {
        "ca.crt": signed(issuer, authority, (x509.BasicConstraints(True, 0), True),
                         (usage("key_cert_sign"), True)) + lasting(former, now),
        "tls.crt": signed(
            subject, server,
            (x509.SubjectAlternativeName([x509.DNSName(name) for name in dns_names]), False),
            (usage("digital_signature"), True),
            (x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH,
                                    x509.ExtendedKeyUsageOID.CLIENT_AUTH]), False)),
        "tls.key": server.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()).decode()}


def lasting(bundle: str, now: datetime.datetime) -> str:
    """Those of the certificates that have not ended."""
    found = x509.load_pem_x509_certificates(bundle.encode()) if bundle else []
    return "".join(one.public_bytes(serialization.Encoding.PEM).decode() for one in found
                   if one.not_valid_after_utc > now)


def named(text: str):
    """A subject of that name, as long as the standard allows."""
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text[:64])])


def usage(*allowed: str):
    """What a key is for."""
    return x509.KeyUsage(**{name: name in allowed for name in USAGES})
