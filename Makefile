# One command sets up and does the main job (`make demo`), one sets up and tests (`make test`).

# The Python to use instead of the one that requirements/python.sh finds.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.9.11

NUMPY2 := build/numpy2
MODEL_TESTS := $(addprefix tests/,face_crop recognize speech_frontend text_tokenizer)

GRPC_PORT ?= 8001
HTTP_PORT ?= 8000
METRICS_PORT ?= 8002
RTMP_PORT ?= 1935
PAGE_PORT ?= 8080

# Extra pip options for PyTorch, e.g. the index of its CPU builds.
TORCH_OPTIONS ?=

# uv installs in seconds what pip installs in minutes; either will do.
install = @if [ -x $(BIN)/uv ]; then $(BIN)/uv pip install --quiet --python $(BIN)/python $(1); \
	else $(BIN)/python -m pip install --quiet $(1); fi

.PHONY: help setup setup-training setup-flagship setup-bench demo serve bridge test test-numpy2 \
	test-flagship bench lint clean

help:
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

setup: $(VENV)/.serving ## make .venv with all that serving and the clients need

$(BIN)/python:
	@python=$$(sh requirements/python.sh $(UV_VERSION) $(PYTHON)) && "$$python" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet uv==$(UV_VERSION) || echo "uv is not available, using pip"

$(VENV)/.serving: requirements.txt $(addprefix requirements/,models.txt clients.txt bridge.txt) | $(BIN)/python
	$(call install,-r requirements.txt)
	@touch $@

$(VENV)/.dev: requirements/dev.txt requirements/evaluate.txt $(VENV)/.serving
	$(call install,-r requirements/dev.txt)
	@touch $@

$(VENV)/.training: requirements/export.txt requirements/mtcnn.txt $(VENV)/.dev
	@$(BIN)/python -m pip install --quiet $(TORCH_OPTIONS) "$$(grep '^torch==' requirements/export.txt)"
	$(call install,-r requirements/export.txt)
	@$(BIN)/python -m pip install --quiet --no-deps -r requirements/mtcnn.txt
	@touch $@

setup-training: $(VENV)/.training ## add what training and export need (PyTorch)

$(VENV)/.flagship: requirements/flagship.txt requirements/flagship-models.txt $(VENV)/.training
	$(call install,-r requirements/flagship.txt)
	@touch $@

setup-flagship: $(VENV)/.flagship ## add what converting the original's files needs (TensorFlow)

$(VENV)/.bench: requirements/bench.txt $(VENV)/.training
	$(call install,-r requirements/bench.txt)
	@touch $@

setup-bench: $(VENV)/.bench ## add what the benchmarks' peer needs (PyTorch, Flask)

demo: setup ## serve, recognise the demo clip, print the result as JSON, stop
	@$(BIN)/python -m demo

serve: setup ## serve in the foreground on GRPC_PORT, HTTP_PORT, METRICS_PORT
	@exec $(BIN)/python -m server --grpc-port=$(GRPC_PORT) --http-port=$(HTTP_PORT) \
		--metrics-port=$(METRICS_PORT)

bridge: setup ## take a stream at rtmp://127.0.0.1:RTMP_PORT/live/demo, show it at PAGE_PORT
	@exec $(BIN)/python -m rtmp_bridge --listen rtmp://127.0.0.1:$(RTMP_PORT)/live/demo \
		--url 127.0.0.1:$(GRPC_PORT) --page 127.0.0.1:$(PAGE_PORT) --jsonl -

lint: $(VENV)/.dev ## check the code's style and the model repositories
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m server.lint

test: lint ## set up and run every check and test
	$(BIN)/python -m pytest

$(NUMPY2)/.ready: requirements/numpy2.txt requirements/models.txt requirements/dev.txt | $(BIN)/python
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(NUMPY2)
	@$(BIN)/uv pip install --quiet --python $(NUMPY2)/bin/python \
		--override requirements/numpy2.txt -r requirements/dev.txt
	@touch $@

test-numpy2: $(NUMPY2)/.ready ## run the models' unit tests under NumPy 2, as newer containers have it
	$(NUMPY2)/bin/python -m pytest $(MODEL_TESTS)

bench: setup-bench ## measure beside the peer and the floor, into build/benchmarks (15 minutes)
	@$(BIN)/python -m benchmarks

test-flagship: setup-flagship ## convert generated files of the original's layouts and serve them
	$(BIN)/python -m pytest tests/export/flagship

clean: ## remove what the targets above made
	rm -rf $(VENV) build
