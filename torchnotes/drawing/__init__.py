"""Pictures: of what notes leave behind, and of what was measured."""
