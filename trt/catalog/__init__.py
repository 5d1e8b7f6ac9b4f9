"""The registry's files, read and checked: model cards, prices, payloads, words."""
