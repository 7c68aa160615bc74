"""What a page says, and its forms, filled in without a browser."""

import html.parser
import urllib.parse

BUTTONS = ("submit", "image")
EMPTY_ELEMENTS = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Field:
    """A control of a form."""

    def __init__(self, kind, name, value, is_on=True):
        self.kind, self.name, self.value, self.is_on = kind, name, value, is_on


class Form:
    """A form as it is served."""

    def __init__(self, action, method):
        self.action, self.method = action, method
        self.fields, self.buttons = [], []

    def has(self, name):
        return any(control.name == name for control in self.fields + self.buttons)

    def values(self, name):
        """All values that a field can take."""
        return [field.value for field in self.fields if field.name == name]

    def button(self, text):
        """The button that people read as `text`."""
        return next((button for button in self.buttons if " ".join(button.text.split()) == text), None)

    def filled(self, texts=None, chosen=None, pressed=None):
        """The pairs that are sent.

        `texts` gives fields another value. `chosen` says by name which values of boxes, radio buttons and options are on; a
        function takes the value and whether it is on as served. `pressed` is a button, or a pair of name and value that
        some button or radio button has.
        """
        texts, chosen = texts or {}, dict(chosen or {})
        pairs = []
        button = pressed
        if isinstance(pressed, tuple):
            fitting = [control for control in self.buttons if (control.name, control.value) == pressed]
            button = fitting[0] if fitting else None
            if not fitting:
                chosen[pressed[0]] = [pressed[1]]
        for field in self.fields:
            if field.kind in ("checkbox", "radio", "option"):
                rule = chosen.get(field.name)
                is_on = field.is_on if rule is None else rule(field.value, field.is_on) if callable(rule) else field.value in rule
                if is_on:
                    pairs.append((field.name, field.value))
            else:
                pairs.append((field.name, texts.get(field.name, field.value)))
        if button is not None and button.name:
            pairs.append((button.name, button.value))
        return pairs


class Page(html.parser.HTMLParser):
    """Headings, forms and links of a page."""

    def __init__(self, answer):
        super().__init__(convert_charrefs=True)
        self.url, self.status = answer.url, answer.status
        self.headings, self.forms, self.links, self.text = [], [], [], ""
        self._form, self._select, self._button, self._into, self._hidden = None, None, None, None, 0
        self.feed(answer.body.decode("utf-8", "replace"))

    def form_with(self, *names):
        return next((form for form in self.forms if all(form.has(name) for name in names)), None)

    def told(self):
        """The page in a few words, for a finding."""
        return f"{self.status} {' / '.join(' '.join(heading.split()) for heading in self.headings) or '(no heading)'}"

    def handle_starttag(self, tag, attributes):
        given = {name: value or "" for name, value in attributes}
        if tag in ("style", "script"):
            self._hidden += 1
        elif tag == "form":
            self._form = Form(urllib.parse.urljoin(self.url, given.get("action") or self.url), given.get("method", "get").upper())
            self.forms.append(self._form)
        elif tag == "h1":
            self.headings.append("")
            self._into = "h1"
        elif tag == "a":
            self.links.append(urllib.parse.urljoin(self.url, given.get("href", "")))
        elif self._form is not None and "disabled" not in given:
            self._control(tag, given)

    def _control(self, tag, given):
        form, name = self._form, given.get("name", "")
        if tag == "button" and given.get("type", "submit") in BUTTONS:
            self._button = Field("button", name, given.get("value", ""))
            self._button.text = ""
            form.buttons.append(self._button)
        elif tag == "input" and given.get("type", "text").lower() in BUTTONS:
            button = Field("button", name, given.get("value", ""))
            button.text = button.value
            form.buttons.append(button)
        elif tag == "input" and name and given.get("type", "text").lower() not in ("button", "reset"):
            kind = given.get("type", "text").lower()
            is_box = kind in ("checkbox", "radio")
            form.fields.append(Field(kind, name, given.get("value", "on" if is_box else ""), not is_box or "checked" in given))
        elif tag == "textarea" and name:
            form.fields.append(Field("text", name, ""))
            self._into = "textarea"
        elif tag == "select" and name:
            self._select = (name, len(form.fields), "multiple" in given)
        elif tag == "option" and self._select:
            form.fields.append(Field("option", self._select[0], given.get("value"), "selected" in given))
            self._into = "option"

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in EMPTY_ELEMENTS:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if tag in ("style", "script"):
            self._hidden -= 1
        elif tag == "form":
            self._form = None
        elif tag == "button":
            self._button = None
        elif tag == "select" and self._select and self._form is not None:
            _, first, several = self._select
            options = self._form.fields[first:]
            # A list of one choice has its first option on when none is marked.
            if options and not several and not any(option.is_on for option in options):
                options[0].is_on = True
            self._select = None
        if tag == "option" and self._form is not None and self._form.fields and self._form.fields[-1].value is None:
            self._form.fields[-1].value = ""
        if tag == self._into:
            self._into = None

    def handle_data(self, data):
        if self._hidden:
            return
        self.text += data
        if self._into == "h1":
            self.headings[-1] += data
        elif self._into == "textarea":
            self._form.fields[-1].value += data
        elif self._into == "option":
            option = self._form.fields[-1]
            # Without an attribute `value` the text is the value.
            if option.value is None:
                option.value = data.strip()
        if self._button is not None:
            self._button.text += data
