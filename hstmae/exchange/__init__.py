"""Footage into and out of the formats of other programs: LeRobot, Minari, WebDataset, and folders of public data sets.

What is written has their layout and is made here; none of these programs is needed. What is read becomes episodes that
`hstmae.codec.jobs` packs like any others; numbers beside the pictures become the bytes of a state, and their names and
types are kept in the `.hst` file, so that they come out again as they were.
"""
