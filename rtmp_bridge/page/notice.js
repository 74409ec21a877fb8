// Text that changes only when it differs: what is said again would be read out again.

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Show a sentence in English and Korean; none clears the place.
export function notify(place, [english, korean] = ["", ""], kind = "problem") {
  place.dataset.kind = kind;
  const [first, second] = place.querySelectorAll("p");
  setText(first, english);
  setText(second, korean ?? "");
}
