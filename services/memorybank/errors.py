"""What can go wrong with the memory, sorted by whose fault it is."""


class MemoryBankError(Exception):
    """Root of everything that the MemoryBank raises."""


class StoreUnavailable(MemoryBankError):  # noqa: N818 - named after the state, as all of this family
    """The database refused, broke or misses its roles: try again later."""


class StoreConflict(MemoryBankError):  # noqa: N818
    """Somebody else moved a source on while we held the lock: start again from what is stored."""


class NewerDatabase(MemoryBankError):  # noqa: N818
    """The database was migrated by a newer ChargeBench, or by another one of this version."""


class WrongQuestion(MemoryBankError):  # noqa: N818
    """Who asked must ask differently: a cursor, a filter or a value that cannot be; the text says what."""


class MissingExtra(MemoryBankError, ImportError):  # noqa: N818
    """What is asked needs packages that are not installed; the text names the extra that brings them."""
