"""Where extensions that model a service of their own keep their objects."""


class Store:
    """Tables of one account in one region: kind -> {name: object}, in order of creation."""

    def __init__(self, account, region):
        self.account, self.region = account, region
        self.tables = {}

    def table(self, kind):
        return self.tables.setdefault(kind, {})
