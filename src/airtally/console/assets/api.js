// Shows the OpenAPI document that the page names, by Swagger UI.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("api-document");
  SwaggerUIBundle({
    url: place.dataset.address,
    dom_id: "#api-document",
    deepLinking: true,
    docExpansion: "none",
    defaultModelsExpandDepth: -1,
    validatorUrl: null,
    onComplete: () => { place.dataset.shown = "yes"; },
  });
});
