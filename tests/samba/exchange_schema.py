"""
What Exchange adds to the schema about servers, connectors and their certificates, as LDIF.

Names, syntaxes and GUIDs are Exchange's own, from Microsoft's published schema reference and from public
lists of schemaIDGUIDs; a GUID that was not found is left to the directory.  Object identifiers below
1.2.840.113556.1.4.7000.999 and 1.2.840.113556.1.5.7000.999 are *placeholders*: the true ones stand in the
files of Exchange's setup alone, and nothing looks at them.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

# attributeSyntax and oMSyntax.
_BYTES, _TEXT, _BOOLEAN, _NAME = "2.5.5.10 4", "2.5.5.12 64", "2.5.5.8 1", "2.5.5.1 127"
_NUMBER, _LONG = "2.5.5.9 2", "2.5.5.16 65"


class _Attribute(NamedTuple):
    cn: str
    syntax: str
    guid: str = ""
    several: bool = False


_ANYTHING = (_Attribute("ms-Exch-Version", _LONG), _Attribute("ms-Exch-Min-Admin-Version", _NUMBER))
_SERVER = (
    _Attribute("ms-Exch-Server-Internal-TLS-Cert", _BYTES, "d0ad315b-0a1d-42e3-b93c-47b119c2d59a"),
    _Attribute("ms-Exch-Current-Server-Roles", _NUMBER, "53436e7c-17d9-40f4-954d-c34d013e9c16"),
    _Attribute("ms-Exch-Server-Site", _NAME, "85ca67b3-a515-41bf-b78f-c32a69a000f6"),
    _Attribute("ms-Exch-Product-ID", _TEXT, "1cbf58a0-5e12-4a78-b8ea-42656df53926"),
    _Attribute("ms-Exch-Install-Path", _TEXT, "8a23df36-b09e-11d2-aa06-00c04f8eedd8"),
    _Attribute("ms-Exch-Component-States", _TEXT, several=True),
    _Attribute("ms-Exch-Transport-Flags", _NUMBER, "da21ac8d-71ca-4781-93c4-1ba2e0696abe"),
    _Attribute("ms-Exch-Edge-Sync-Credential", _BYTES, "b71519a3-1465-4b55-bdfb-e144bf7a7682", several=True),
    _Attribute("ms-Exch-Edge-Sync-Lease", _BYTES, "061d0240-2ac1-46c9-8252-66e52281f892"),
    _Attribute("ms-Exch-Edge-Sync-Status", _TEXT, "050f9910-3408-493e-96e1-cdc47ef18384", several=True),
    _Attribute("ms-Exch-Edge-Sync-Adam-Ldap-Port", _NUMBER, "5150729b-dfd0-4f84-aa9e-5d1adc335976"),
    _Attribute("ms-Exch-Edge-Sync-Adam-SSL-Port", _NUMBER, "bb262b78-4564-43b2-96f1-378828f71a14"),
    _Attribute("ms-Exch-Edge-Sync-Source-Guid", _BYTES),
    _Attribute("ms-Exch-Edge-Sync-Cookies", _BYTES, several=True),
)
# TlsCertificateName of both kinds of connector: <I>issuer<S>subject.
_CONNECTOR = (_Attribute("ms-Exch-Smtp-TLS-Certificate", _TEXT),)
_RECEIVE_CONNECTOR = (
    _Attribute("ms-Exch-Smtp-Receive-Bindings", _TEXT, "6408dc1d-d8a3-4168-aa75-816f3e9ac211", several=True),
    _Attribute(
        "ms-Exch-Smtp-Receive-Remote-IP-Ranges", _TEXT, "1e654383-9804-4741-a7de-75f30b63ff0f", several=True
    ),
    _Attribute("ms-Exch-Smtp-Receive-Enabled", _BOOLEAN, "f6bf6370-69b6-4707-a1db-5aa160319ac9"),
    _Attribute("ms-Exch-Smtp-Receive-Type", _NUMBER, "7ed2782b-1b8a-4764-bdcf-44c06a4f1033"),
    # TransportRole: which service listens, by its role's number.  From memory: no public list has it.
    _Attribute("ms-Exch-Smtp-Receive-Role", _NUMBER),
    _Attribute("ms-Exch-Smtp-Receive-Banner", _TEXT, "5367b285-3ac0-46ac-a945-0ac1fa9c28a7"),
    _Attribute("ms-Exch-Smtp-Receive-Protocol-Options", _NUMBER, "75f8e34d-c41a-4d09-a829-38061d0b18c0"),
    _Attribute("ms-Exch-Smtp-Receive-Tls-Certificate-Name", _TEXT, "8560430c-aec4-4624-a5b2-6357fe90d358"),
    _Attribute("ms-Exch-Smtp-Receive-Tls-Domain-Capabilities", _TEXT, several=True),
    _Attribute("ms-Exch-SMTP-Receive-Connector-FQDN", _TEXT, "88b5e259-a18f-4202-adc3-cd24a603b266"),
    # AuthMechanism.
    _Attribute("ms-Exch-SMTP-Receive-Inbound-Security-Flag", _NUMBER, "37948e6b-57de-4ecd-a84a-e95795340505"),
)
_SEND_CONNECTOR = (
    _Attribute("ms-Exch-Smtp-Smart-Host", _TEXT, "45e19076-b098-11d2-aa06-00c04f8eedd8"),
    _Attribute("ms-Exch-Smtp-Smart-Host-Type", _NUMBER, "46008f08-b098-11d2-aa06-00c04f8eedd8"),
    # SmartHostAuthMechanism.
    _Attribute("ms-Exch-Smtp-Outbound-Security-Flag", _NUMBER, "429cb710-b098-11d2-aa06-00c04f8eedd8"),
    _Attribute("ms-Exch-Smtp-Send-Enabled", _BOOLEAN, "70cf2b9d-a9fa-42ac-9ae2-d04f3c95d00e"),
    _Attribute("ms-Exch-Smtp-Send-Flags", _NUMBER, "ea56b1e8-9bfd-49d4-b37d-28a9f441b102"),
    _Attribute("ms-Exch-Smtp-Send-Port", _NUMBER, "99924333-5dc4-4654-84c1-f9b4344fa97d"),
    _Attribute("ms-Exch-Smtp-Send-Type", _NUMBER, "74650e0f-0919-4b24-8e71-34b700aa9fe3"),
    _Attribute("ms-Exch-Smtp-Send-Tls-Domain", _TEXT),
    _Attribute("ms-Exch-SMTP-Send-Connector-FQDN", _TEXT, "20309cbd-0ae3-4876-9114-5738c65f845c"),
    _Attribute(
        "ms-Exch-Source-Bridgehead-Servers-DN", _NAME, "206f4094-b099-11d2-aa06-00c04f8eedd8", several=True
    ),
    # AddressSpaces: SMTP:*;1.
    _Attribute("Routing-List", _TEXT, several=True),
)
_TRANSPORT = (
    _Attribute(
        "ms-Exch-TLS-Receive-Domain-Secure-List", _TEXT, "63aafa32-0469-4780-8124-0b6f6e6504e5", several=True
    ),
    _Attribute(
        "ms-Exch-TLS-Send-Domain-Secure-List", _TEXT, "3284b770-0959-4373-9529-c57c071f2986", several=True
    ),
)
_ATTRIBUTES = (*_ANYTHING, *_SERVER, *_CONNECTOR, *_RECEIVE_CONNECTOR, *_SEND_CONNECTOR, *_TRANSPORT)
_IN_EVERY_SCHEMA = ("networkAddress", "serialNumber", "versionNumber", "legacyExchangeDN")


class _Class(NamedTuple):
    cn: str
    below: str
    guid: str = ""
    number: str = ""
    attributes: tuple[_Attribute, ...] = ()
    kind_of: str = "container"


_CLASSES = (
    _Class(
        "ms-Exch-Organization-Container",
        "msExchConfigurationContainer",
        "366a319c-a982-11d2-a9ff-00c04f8eedd8",
        "1.2.840.113556.1.5.7000.62.50020",
    ),
    _Class("ms-Exch-Transport-Settings", "msExchOrganizationContainer", attributes=_TRANSPORT),
    _Class(
        "ms-Exch-Admin-Group-Container",
        "msExchOrganizationContainer",
        "e7a44058-a980-11d2-a9ff-00c04f8eedd8",
        "1.2.840.113556.1.5.7000.62.50019",
    ),
    _Class(
        "ms-Exch-Admin-Group",
        "msExchAdminGroupContainer",
        "e768a58e-a980-11d2-a9ff-00c04f8eedd8",
        "1.2.840.113556.1.5.7000.62.50011",
    ),
    _Class(
        "ms-Exch-Servers-Container",
        "msExchAdminGroup",
        "346e5cba-a982-11d2-a9ff-00c04f8eedd8",
        "1.2.840.113556.1.5.7000.62.50013",
    ),
    _Class(
        "ms-Exch-Exchange-Server",
        "msExchServersContainer",
        "01a9aa9c-a981-11d2-a9ff-00c04f8eedd8",
        "1.2.840.113556.1.5.7000.62.50009",
        _SERVER,
        "server",
    ),
    # Its cn is ms-Exch-Protocol-Cfg-Shared-Server in truth.  CN=SMTP Receive Connectors below it is a plain
    # container here: its class was not found.
    _Class("Protocol-Cfg-Shared-Server", "msExchExchangeServer"),
    _Class(
        "ms-Exch-Smtp-Receive-Connector",
        "container",
        "44601346-776a-46e7-b4a4-2472e1c66806",
        attributes=(*_CONNECTOR, *_RECEIVE_CONNECTOR),
        kind_of="top",
    ),
    _Class("ms-Exch-Routing-Group-Container", "msExchAdminGroup", "34de6b40-a982-11d2-a9ff-00c04f8eedd8"),
    _Class("ms-Exch-Routing-Group", "msExchRoutingGroupContainer", "35154156-a982-11d2-a9ff-00c04f8eedd8"),
    _Class("ms-Exch-Connectors", "msExchRoutingGroup", "eee325dc-a980-11d2-a9ff-00c04f8eedd8"),
    # In truth a kind of mailGateway, which brings nothing that is read here.
    _Class(
        "ms-Exch-Routing-SMTP-Connector",
        "msExchConnectors",
        "89baf7be-b09e-11d2-aa06-00c04f8eedd8",
        "1.2.840.113556.1.5.7000.62.12008",
        (*_CONNECTOR, *_SEND_CONNECTOR),
        "top",
    ),
)


def steps(schema: str) -> tuple[str, ...]:
    """
    LDIF that extends the *schema* at that name, in steps.

    Each is a transaction of its own: a new attribute or class can be named only after the one that made it.
    """
    return (
        "\n".join(_attribute(one, number, schema) for number, one in enumerate(_ATTRIBUTES, 1)),
        "\n".join(_class(one, number, schema) for number, one in enumerate(_CLASSES, 1)),
        "\n".join(
            f"dn: CN={one.cn},{schema}\nchangetype: modify\nadd: possSuperiors\npossSuperiors: {one.below}\n"
            for one in _CLASSES
        ),
    )


def _attribute(one: _Attribute, number: int, schema: str) -> str:
    syntax, om_syntax = one.syntax.split()
    return _entry(
        f"CN={one.cn},{schema}",
        "attributeSchema",
        f"attributeID: 1.2.840.113556.1.4.7000.999.{number}",
        f"lDAPDisplayName: {_ldap_name(one.cn)}",
        f"attributeSyntax: {syntax}",
        f"oMSyntax: {om_syntax}",
        # A distinguished name, and no other kind of object.
        *(["oMObjectClass:: KwwCh3McAIVK"] if one.syntax == _NAME else []),
        f"isSingleValued: {str(not one.several).upper()}",
        *_guid(one.guid),
    )


def _class(one: _Class, number: int, schema: str) -> str:
    attributes = [_ldap_name(each.cn) for each in (*_ANYTHING, *one.attributes)]
    return _entry(
        f"CN={one.cn},{schema}",
        "classSchema",
        f"governsID: {one.number or f'1.2.840.113556.1.5.7000.999.{number}'}",
        f"lDAPDisplayName: {_ldap_name(one.cn)}",
        f"subClassOf: {one.kind_of}",
        "objectClassCategory: 1",
        "rDNAttID: cn",
        # Exchange's own is D:S:, with rights that are inherited from its organization.  Without those nobody
        # but administrators would see such an entry, and a search would say noSuchObject.
        "defaultSecurityDescriptor: D:(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;DA)"
        "(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;SY)(A;;RPLCLORC;;;AU)",
        *(f"mayContain: {name}" for name in (*_IN_EVERY_SCHEMA, *attributes)),
        *_guid(one.guid),
    )


def _entry(name: str, kind: str, *lines: str) -> str:
    shown = ("showInAdvancedViewOnly: TRUE", *lines)
    return "\n".join((f"dn: {name}", "changetype: add", f"objectClass: {kind}", *shown)) + "\n"


def _guid(text: str) -> Iterable[str]:
    return [f"schemaIDGUID:: {b64encode(UUID(text).bytes_le).decode()}"] if text else []


def _ldap_name(cn: str) -> str:
    joined = cn.replace("-", "")
    return joined[0].lower() + joined[1:]
