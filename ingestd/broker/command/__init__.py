"""The command `ingestd-broker`: each module is one command, `add`ed to the parser of `main`."""
