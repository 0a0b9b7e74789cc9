"""The version of the product, as it tells others."""

VERSION = "0.1.0"
