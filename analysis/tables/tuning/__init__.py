"""Tables of studies that tune their models."""
