"""Checks, the groups in which they stand, and what comes out of them."""

import functools


class Failed(Exception):
    """The server did not do what the check says."""


class Skipped(Exception):
    """The check asks for what the server does not advertise or the configuration does not name."""


class Check:
    """One sentence that is true of the server or not."""

    def __init__(self, group, name, says, covers, method):
        self.id = f"{group}.{name}"
        self.says, self.covers, self.method = says, covers, method


class Result:
    """What came of a check: passed, failed or skipped, and why."""

    def __init__(self, check, state, reason=""):
        self.id, self.says, self.covers = check.id, check.says, check.covers
        self.state, self.reason = state, reason

    def told(self):
        return {"id": self.id, "says": self.says, "requirements": list(self.covers), "result": self.state, "reason": self.reason}


def check(name, says, *covers):
    """Makes a method of a group a check; `covers` are numbers of requirements of SMART App Launch 2.2."""

    def mark(method):
        method.check = (name, says, covers)
        return method

    return mark


class fixture:
    """What several checks of a group stand on: made once; when that fails, it fails for all of them alike."""

    def __init__(self, make):
        self.make = make
        functools.update_wrapper(self, make)

    def __get__(self, group, owner=None):
        if group is None:
            return self
        if self.make.__name__ not in group.made:
            try:
                group.made[self.make.__name__] = self.make(group)
            except (Failed, Skipped, OSError) as problem:
                group.made[self.make.__name__] = problem
        value = group.made[self.make.__name__]
        if isinstance(value, Exception):
            raise value
        return value


class Group:
    """Checks that belong together and can be run alone."""

    name = says = None
    # Whether it is run only when it is named.
    is_slow = False
    # What the discovery document must have, and what the configuration must name.
    capabilities = members = grant_types = clients = settings = ()

    def __init__(self, site):
        self.site, self.made = site, {}

    @classmethod
    def checks(cls):
        marked = [method for method in vars(cls).values() if hasattr(method, "check")]
        return [Check(cls.name, *method.check, method) for method in marked]

    def lacks(self):
        """Why the group can't be run, or None."""
        document = self.site.discovery if self.capabilities or self.members or self.grant_types else {}
        for capability in self.capabilities:
            if capability not in document.get("capabilities", []):
                return f"the server does not advertise the capability {capability}"
        for member in self.members:
            if member not in document:
                return f"the discovery document has no {member}"
        for grant_type in self.grant_types:
            if grant_type not in document.get("grant_types_supported", []):
                return f"the server does not advertise the grant type {grant_type}"
        for client in self.clients:
            if client not in self.site.clients:
                return f"the configuration names no client {client}"
        for setting in self.settings:
            if not self.site.config.get(setting):
                return f"the configuration names no {setting}"
        return None

    def run(self):
        """The result of each check, as it comes."""
        try:
            lack, state = self.lacks(), "skipped"
        except (Failed, OSError) as problem:
            lack, state = str(problem), "failed"
        for check in self.checks():
            if lack:
                yield Result(check, state, lack)
                continue
            try:
                check.method(self)
                yield Result(check, "passed")
            except Skipped as reason:
                yield Result(check, "skipped", str(reason))
            except (Failed, OSError) as problem:
                yield Result(check, "failed", str(problem) or type(problem).__name__)


def expect(holds, otherwise):
    """Fails with the text `otherwise` unless `holds`."""
    if not holds:
        raise Failed(otherwise)


def expect_status(answer, *allowed):
    """Fails, telling the request and its answer, unless the status is one of `allowed`."""
    wanted = " or ".join(str(status) for status in allowed)
    expect(answer.status in allowed, f"{answer.request}: {answer.status} instead of {wanted}: {answer.excerpt()}")
    return answer


def expect_error(answer, statuses, *errors):
    """Fails unless the answer is an OAuth error of these names."""
    expect_status(answer, *statuses)
    error = answer.object().get("error")
    expect(error in errors, f"{answer.request}: the error is {error!r} instead of {' or '.join(errors)}: {answer.excerpt()}")
    return answer
