package store

// child is what this test program does when a test has started it as another process.
func child(role string) int {
	switch role {
	}
	return 2
}
