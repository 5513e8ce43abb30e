"""The figures of docs/reference/figures.md, measured on the machine at hand: `./dev bench`."""
