// Where an EHR opens the app: it names its FHIR base (iss) and what it launches (launch).
//
// Spec: SMART App Launch 2.2 app-launch.html#launch-app-ehr-launch

import { authorize, inWords } from "./smart.js";

const parameters = new URLSearchParams(location.search);

try {
    const [iss, launch] = [parameters.get("iss"), parameters.get("launch")];
    if (!iss || !launch) {
        throw new Error("This page is for launches from within a record: the address lacks iss or launch.");
    }
    await authorize({ iss, launch });
} catch (error) {
    document.getElementById("status").textContent = "";
    const place = document.getElementById("error");
    place.textContent = inWords(error);
    place.hidden = false;
}
