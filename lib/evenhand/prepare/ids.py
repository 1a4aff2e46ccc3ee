"""Ids in the form in which they are compared: a decision counts only if it finds the customer whose it is."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from evenhand.plan.data import Ids

# All that Unicode has for a blank, and two signs without width that exports leave behind.
BLANKS = "".join(chr(c) for c in range(0x3001) if chr(c).isspace()) + "\u200b\ufeff"


def in_one_form(text: Column, ids: Ids) -> Column:
    """A text id as the plan wants ids compared. Null stays null."""
    if ids.normalize is not None:
        text = composed(text)
    if ids.trim:
        text = trimmed(text)
    return folded(text) if ids.casefold else text


def trimmed(text: Column) -> Column:
    return F.btrim(text, F.lit(BLANKS))


def folded(text: Column) -> Column:
    """In upper case, where ß is SS and the two small sigmas are one; lower case would keep them apart."""
    return F.upper(text)


def composed(text: Column) -> Column:
    """The text in Unicode's form NFC. Spark has no function for it, but ICU, on which its collations rest.

    `reflect` counts as random for Spark, so this may stand in a `select` only. Null would end in an error of Java.
    """
    nfc = F.reflect(F.lit("com.ibm.icu.text.Normalizer"), F.lit("compose"), text, F.lit(False))
    return F.when(text.isNull() | (F.octet_length(text) == F.char_length(text)), text).otherwise(nfc)
