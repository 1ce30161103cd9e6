"""The text of a description in few bytes: zlib looks up what descriptions are likely to contain."""

import json
import zlib
from typing import Any

MAX_TEXT = 1 << 20  # bytes of an episode's description, unpacked
_HASHES = (("signature", 8), ("tables_sha256", 32))  # and their bytes
# What descriptions are likely to contain, the colours of the NES among it: zlib looks up here what it has seen before.
# Part of the format: never to be changed.
_DICTIONARY = (
    b'{"actions":0,"channels":3,"fps":30.0,"frames":-1,"game":"generic","gop":64,"height":240,"level":"","name":"'
    b'","notes":[["left_out",1],["repaired",1]],"outcome":"cut","outcome":"fail","outcome":"win","palette":"'
    b"74747424188c0000a844009c8c0074a80010a400007c0800402c00004400005000003c14183c5c000000000000000000"
    b"bcbcbc0070ec2038ec8000f0bc00bce40058d82800c84c0c88700000940000a800009038008088000000000000000000"
    b"fcfcfc3cbcfc5c94fccc88fcf478fcfc74b4fc7460fc9838f0bc3c80d0104cdc4858f89800e8d8787878000000000000"
    b"fcfcfca8e4fcc4d4fcd4c8fcfcc4fcfcc4d8fcbcb0fcd8a8fce4a0e0fca0a8f0bcb0fccc9cfcf0c4c4c4000000000000"
    b'","problems":[],"profile":"neural","profile":"lossless","signature":"","source":"","split":"val_level",'
    b'"split":"train","split":"val","split":"","state":2048,"streams":["ACTN","PICT","STAT"],"tables":"smb","tables_sha256":"'
    b'","width":256}{"actions":1,"channels":1,"fps":60.0988,"frames":-1,"game":"smb","gop":64,"height":240,"level":"'
)
# The same for short ones: a whole description of a replayed session, and the colours as FCEUX has them since 2.3.
_SHORT_DICTIONARY = (
    b"75757524188e0000aa45009e8e0075aa0010a600007d0800412c00004500005100003c14183c5d000000000000000000"
    b"bebebe0071ef2038ef8200f3be00bee70059db2800cb4d0c8a710000960000aa0000923800828a000000000000000000"
    b"ffffff3cbeff5d96ffcf8afff779ffff75b6ff7561ff9a38f3be3c82d3104ddf4959fb9a00ebdb797979000000000000"
    b"ffffffaae7ffc7d7ffd7cbffffc7ffffc7dbffbeb2ffdbaaffe7a2e3ffa2aaf3beb2ffcf9efff3c7c7c7000000000000"
    + _DICTIONARY
    + b'"notes":[["alone",1],["left_out",1],["repaired",1000]],"pairing":{"agreed":{"-1":1.0,"0":10.0,"1":1.0},'
    b'"by":"sprites","lag":1,"tested":1}'
    b'{"actions":1,"channels":1,"corner":[8,0],"fps":60.0988,"frames":-1,"game":"smb","gop":1024,"height":240,'
    b'"level":"1-1","name":"_abcd1234_e0_1-1_win","notes":[["repaired",1000]],"outcome":"win",'
    b'"pairing":{"agreed":{"-1":0.0,"0":10.0,"1":0.0},"by":"scroll","lag":0,"tested":10},"palette":"'
    b"74747424188c0000a844009c8c0074a80010a400007c0800402c00004400005000003c14183c5c000000000000000000"
    b"bcbcbc0070ec2038ec8000f0bc00bce40058d82800c84c0c88700000940000a800009038008088000000000000000000"
    b"fcfcfc3cbcfc5c94fccc88fcf478fcfc74b4fc7460fc9838f0bc3c80d0104cdc4858f89800e8d8787878000000000000"
    b"fcfcfca8e4fcc4d4fcd4c8fcfcc4fcfcc4d8fcbcb0fcd8a8fce4a0e0fca0a8f0bcb0fccc9cfcf0c4c4c4000000000000"
    b'","problems":[],"profile":"replay","source":"_abcd1234_e0_1-1_win","split":"","state":2048,'
    b'"streams":["ACTN","PICT","RPLY","STAT"],"tables":"smb-1 cynes-0.1.2 ","width":256}'
)
# The same for recordings of the Atari 2600: its 128 colours as ale-py has them, and the tables of games without any.
_ATARI_DICTIONARY = (
    b"0000004a4a4a6f6f6f8e8e8eaaaaaac0c0c0d6d6d6ececec48480069690f86861da2a22abbbb35d2d240e8e84afcfc54"
    b"7c2c00904811a26221b47a30c3903dd2a44adfb755ecc860901c00a33915b55328c66c3ad5824ae39759f0aa67fcbc74"
    b"940000a71a1ab83232c84848d65c5ce46f6ff08080fc909084006497197aa8308fb846a2c659b3d46cc3e07cd2ec8ce0"
    b"50008468199a7d30ad9246c0a459d0b56ce0c57ceed48cfc140090331aa34e32b56848c67f5cd5956fe3a980f0bc90fc"
    b"000094181aa72d32b84248c8545cd6656fe47580f08490fc001c88183b9d2d57b04272c2548ad265a0e175b5ef84c8fc"
    b"0030641850802d6d984288b054a0c565b7d975cceb84e0fc00403018624e2d8169429e8254b89965d1ae75e7c284fcd4"
    b"0044001a661a32843248a0485cba5c6fd26f80e88090fc90143c00355f18527e2d6e9c4287b7549ed065b4e775c8fc84"
    b"3038005059166d762b88923ea0ab4fb7c25fccd86ee0ec7c482c00694d14866a26a28638bb9f47d2b656e8cc63fce070"
    + _SHORT_DICTIONARY
    + b'{"actions":1,"channels":1,"fps":60.0,"frames":-1,"game":"atari2600-","gop":192,"height":210,"level":"",'
    b'"name":"ALE-","notes":[],"outcome":"cut","palette":"","problems":[],"profile":"lossless","signature":"",'
    b'"source":"","split":"","state":128,"streams":["ACTN","PICT","STAT"],"tables":"neutral-3","tables_sha256":"'
    b'99dd97c837808be64a0c0d129ad1ef89d73a775ad11d0486c807985f8a86eae6","width":160}'
)
# The same with the tables of version 4 of pictures.
_ATARI_DICTIONARY_4 = (
    _ATARI_DICTIONARY
    + b'"split":"train","split":"","state":128,"streams":["ACTN","PICT","STAT"],"tables":"neutral-4","tables_sha256":"'
    b'29a6a73fcd576151d49d986ccceaea8390ad160bb52f0807279e34bfdcfce477","width":160}'
)
_SHORT, _ATARI, _ATARI_4 = 1, 2, 3  # first bytes of short texts; a zlib stream begins with another one
_DICTIONARIES = {_SHORT: _SHORT_DICTIONARY, _ATARI: _ATARI_DICTIONARY, _ATARI_4: _ATARI_DICTIONARY_4}
_ATARI_PALETTE = 6 * 128  # characters


def pack_text(value: dict[str, Any], short: bool = False) -> bytes:
    """JSON, packed. `short`: by the dictionary of short descriptions, with hashes outside of the text."""
    if short:
        hashes = [bytes.fromhex(value[name]).ljust(size, b"\0")[:size] for name, size in _HASHES]
        whole = {name: value[name] for name, _ in _HASHES}
        rest = {name: part for name, part in value.items() if name not in whole}
        if any(found.hex() != whole[name] for (name, _), found in zip(_HASHES, hashes, strict=True)):
            rest = value  # of another length: in the text
        return bytes([_SHORT]) + b"".join(hashes) + _deflated(rest, _SHORT_DICTIONARY)
    packer = zlib.compressobj(9, zdict=_DICTIONARY)
    packed = packer.compress(_json(value)) + packer.flush()
    if len(value.get("palette", "")) == _ATARI_PALETTE or value.get("tables") == "neutral-4":
        shorter = [bytes([form]) + _deflated(value, _DICTIONARIES[form]) for form in (_ATARI, _ATARI_4)]
        packed = min(packed, *shorter, key=len)
    return packed


def _deflated(value: dict[str, Any], dictionary: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=-15, zdict=dictionary)
    return packer.compress(_json(value)) + packer.flush()


def unpack_text(payload: bytes) -> dict[str, Any]:
    """The inverse. Raises ValueError, TypeError, KeyError or zlib.error for bytes that make no sense."""
    hashes: dict[str, str] = {}
    inflater = zlib.decompressobj(zdict=_DICTIONARY)
    if payload[:1] == bytes([_SHORT]):
        at = 1
        for name, size in _HASHES:
            hashes[name] = payload[at : at + size].hex()
            at += size
        payload, inflater = payload[at:], zlib.decompressobj(-15, zdict=_SHORT_DICTIONARY)
    elif payload[:1] in (bytes([_ATARI]), bytes([_ATARI_4])):
        payload, inflater = payload[1:], zlib.decompressobj(-15, zdict=_DICTIONARIES[payload[0]])
    text = inflater.decompress(payload, MAX_TEXT + 1)
    if len(text) > MAX_TEXT or not inflater.eof:
        raise ValueError("too long, or cut off")
    value = json.loads(text.decode("utf-8"))
    return {**hashes, **value} if hashes else value


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
