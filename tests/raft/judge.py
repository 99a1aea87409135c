"""What must be true of every run, whoever ran it: stock or ours."""


class Violation(BaseException):
    """A run that no correct implementation could have. Nothing the product catches may catch it."""


class Judge:
    """Remembers what every machine applied and what every client was told."""

    def __init__(self):
        self.history = []
        self.acknowledged = {}
        self.reads = 0
        self._leaders = {}
        self._applied = {}
        self._floor = 0

    def applied(self, node, position, operation):
        if position < len(self.history):
            if self.history[position] != operation:
                raise Violation(f"{node} diverges at {position}: {operation} against {self.history[position]}")
        elif position > len(self.history):
            raise Violation(f"{node} applied {position} before anyone applied {len(self.history)}")
        else:
            if operation in self._applied:
                raise Violation(f"{operation} was applied at {self._applied[operation]} and at {position}")
            self._applied[operation] = position
            self.history.append(operation)

    def restored(self, node, operations):
        if operations != self.history[: len(operations)]:
            raise Violation(f"{node} was given a state that is no prefix of the history")

    def leads(self, node, term):
        if self._leaders.setdefault(term, node) != node:
            raise Violation(f"term {term} has two leaders: {self._leaders[term]} and {node}")

    def acknowledge(self, operation, position):
        if self._applied.get(operation) != position:
            raise Violation(f"{operation} was acknowledged at {position}, and is not there")
        self.acknowledged[operation] = position
        self._floor = max(self._floor, position + 1)

    def read_begins(self):
        return self._floor

    def read_ends(self, node, floor, length):
        if length < floor:
            raise Violation(f"{node} read {length} operations after {floor} had been acknowledged or read")
        self.reads += 1
        self._floor = max(self._floor, length)

    def at_the_end(self, states):
        """`states`: node -> its operations."""
        lengths = {node: len(operations) for node, operations in states.items()}
        if len(set(lengths.values())) != 1:
            raise Violation(f"the members did not come together: {lengths}")
        for node, operations in states.items():
            if operations != self.history[: len(operations)]:
                raise Violation(f"{node} ended in another state")
            lost = [name for name, at in self.acknowledged.items() if at >= len(operations)]
            if lost:
                raise Violation(f"{node} lost {len(lost)} acknowledged operations, the first is {lost[0]}")
