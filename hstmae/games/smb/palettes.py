"""The 64 colours of the NES as emulators show them: the console itself makes a video signal, and no RGB."""

from __future__ import annotations

import numpy as np


def _table(text: str) -> np.ndarray:
    return np.frombuffer(bytes.fromhex(text), np.uint8).reshape(64, 3)


# FCEUX up to 2.2.3, and its relatives: six bits a channel, shifted by two.
FCEUX = _table(
    "747474 24188c 0000a8 44009c 8c0074 a80010 a40000 7c0800 402c00 004400 005000 003c14 183c5c 000000 000000 000000 "
    "bcbcbc 0070ec 2038ec 8000f0 bc00bc e40058 d82800 c84c0c 887000 009400 00a800 009038 008088 000000 000000 000000 "
    "fcfcfc 3cbcfc 5c94fc cc88fc f478fc fc74b4 fc7460 fc9838 f0bc3c 80d010 4cdc48 58f898 00e8d8 787878 000000 000000 "
    "fcfcfc a8e4fc c4d4fc d4c8fc fcc4fc fcc4d8 fcbcb0 fcd8a8 fce4a0 e0fca0 a8f0bc b0fccc 9cfcf0 c4c4c4 000000 000000 "
)
_MESEN = (
    "666666 002a88 1412a7 3b00a4 5c007e 6e0040 6c0600 561d00 333500 0b4800 005200 004f08 00404d 000000 000000 000000 "
    "adadad 155fd9 4240ff 7527fe a01acc b71e7b b53120 994e00 6b6d00 388700 0c9300 008f32 007c8d 000000 000000 000000 "
    "fffeff 64b0ff 9290ff c676ff f36aff fe6ecc fe8170 ea9e22 bcbe00 88d800 5ce430 45e082 48cdde 4f4f4f 000000 000000 "
    "fffeff c0dfff d3d2ff e8c8ff fbc2ff fec4ea feccc5 f7d8a5 e4e594 cfef96 bdf4ab b3f3cc b5ebf2 b8b8b8 000000 000000 "
)
_NES_PY = (
    "7c7c7c 0000fc 0000bc 4428bc 940084 a80020 a81000 881400 503000 007800 006800 005800 004058 000000 000000 000000 "
    "bcbcbc 0078f8 0058f8 6844fc d800cc e40058 f83800 e45c10 ac7c00 00b800 00a800 00a844 008888 000000 000000 000000 "
    "f8f8f8 3cbcfc 6888fc 9878f8 f878f8 f85898 f87858 fca044 f8b800 b8f818 58d854 58f898 00e8d8 787878 000000 000000 "
    "fcfcfc a4e4fc b8b8f8 d8b8f8 f8b8f8 f8a4c0 f0d0b0 fce0a8 f8d878 d8f878 b8f8b8 b8f8d8 00fcfc f8d8f8 000000 000000 "
)
_CYNES = (
    "545454 001e74 081090 300088 440064 5c0030 540400 3c1800 202a00 083a00 004000 003c00 00323c 000000 000000 000000 "
    "989698 084cc4 3032ec 5c1ee4 8814b0 a01464 982220 783c00 545a00 287200 087c00 007628 006678 000000 000000 000000 "
    "eceeec 4c9aec 787cec b062ec e454ec ec58b4 ec6a64 d48820 a0aa00 74c400 4cd020 38cc6c 38b4cc 3c3c3c 000000 000000 "
    "eceeec a8ccec bcbcec d4b2ec ecaeec ecaed4 ecb4b0 e4c490 ccd278 b4de78 a8e290 98e2b4 a0d6e4 a0a2a0 000000 000000 "
)
OTHERS = (
    FCEUX | FCEUX >> 6,  # FCEUX from 2.3 on: the same six bits, their upper two repeated below
    _table(_MESEN),  # Mesen and others, made from measurements of the 2C02
    _table(_NES_PY),  # nes-py and gym-super-mario-bros, a list often copied
    _table(_CYNES),  # cynes
)
