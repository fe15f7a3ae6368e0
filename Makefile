# Every target is one small script in tools/. `make` alone lists them.
PYTHON := .venv/bin/python
READY := @python3 tools/bootstrap.py

# Each of many short processes would compile everything again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-crash test-failover lab lab-stop bench lint docs clean

help:  ## List the targets
	@sed -n 's/^\([a-z-]*\): *## */\1\t/p' Makefile | expand -t 15

demo:  ## Plan, build, change, repair and remove a stack on an emulated AWS
	$(READY)
	@$(PYTHON) tools/demo.py $(STACK) $(if $(AWS_ONLY),--aws-only)

test:  ## Run everything: lint, sanity, unit, laws, integration, molecule
	$(READY) --all
	@$(PYTHON) tools/test.py

test-crash:  ## Kill a run before and after every write call, then look at the next run
	$(READY)
	@$(PYTHON) -m pytest -m crash_all -n auto tests

test-failover:  ## Let real Redis fail over thirty times, and tell the seconds
	$(READY) --all
	@$(PYTHON) -m pytest -m failover -s tests

lab:  ## Start the emulated AWS and print its endpoint
	$(READY)
	@$(PYTHON) -m lab start

lab-stop:  ## Stop it
	@$(PYTHON) -m lab stop

bench:  ## Measure the collection side by side with the other tools that are there
	$(READY)
	@$(PYTHON) -m tests.bench

lint:  ## Check the style: ansible-lint, yamllint, changelog, line lengths
	$(READY)
	@tools/lint

docs:  ## Write a page for each module in docs/, and for each role beside it
	$(READY)
	@$(PYTHON) tools/docs.py

clean:  ## Remove what the tools made: environments, caches, results
	@tools/clean
