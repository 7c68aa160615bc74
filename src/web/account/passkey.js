// Asks the browser for a passkey, and sends its answer with the form. Where there are no passkeys the forms stay hidden.
(() => {
  "use strict";

  const bytes = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  const base64url = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const ids = (list) => (list ?? []).map((item) => ({ ...item, id: bytes(item.id) }));

  const added = async (options) => {
    const made = await navigator.credentials.create({
      publicKey: {
        ...options,
        challenge: bytes(options.challenge),
        user: { ...options.user, id: bytes(options.user.id) },
        excludeCredentials: ids(options.excludeCredentials),
      },
    });
    return {
      id: made.id,
      rawId: base64url(made.rawId),
      type: made.type,
      response: {
        attestationObject: base64url(made.response.attestationObject),
        clientDataJSON: base64url(made.response.clientDataJSON),
      },
    };
  };

  const shown = async (options) => {
    const got = await navigator.credentials.get({
      publicKey: {
        ...options,
        challenge: bytes(options.challenge),
        allowCredentials: ids(options.allowCredentials),
      },
    });
    return {
      id: got.id,
      rawId: base64url(got.rawId),
      type: got.type,
      response: {
        authenticatorData: base64url(got.response.authenticatorData),
        clientDataJSON: base64url(got.response.clientDataJSON),
        signature: base64url(got.response.signature),
        userHandle: got.response.userHandle ? base64url(got.response.userHandle) : null,
      },
    };
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const options = JSON.parse(form.dataset.options);
    const name = options.rpId ?? options.rp.id;
    const isHere = location.hostname === name || location.hostname.endsWith("." + name);
    if (!window.PublicKeyCredential || !isHere) continue;
    form.hidden = false;
    for (const instead of document.querySelectorAll("[data-without-passkey]")) instead.hidden = true;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const problem = form.querySelector("[data-problem]");
      problem.textContent = "";
      try {
        const answer = form.dataset.passkey === "add" ? await added(options) : await shown(options);
        form.elements.answer.value = JSON.stringify(answer);
        form.submit();
      } catch (error) {
        problem.textContent = error.name === "InvalidStateError"
          ? "This device has one of your passkeys already."
          : "No passkey was used. Try again, or use another way.";
      }
    });
  }
})();
